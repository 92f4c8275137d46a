//! Whether a listener may be reached by a network, as the configuration stands. Values in, decision out.

use std::net::SocketAddr;

use crate::config::Config;

/// A listener would be open to whoever reaches its address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    /// REST or MCP without callers.
    #[error(
        "{door} at {address} could be called by anybody who reaches it, because no callers are configured; expected a loopback \
         address such as 127.0.0.1:{port}, or callers: run `airlock key new <name>` and add to airlock.toml the lines that it prints, \
         which begin with [callers.<name>]; if a proxy in front knows the callers: [listen] allow_unauthenticated = true",
        port = .address.port()
    )]
    Door {
        /// `rest` or `mcp`.
        door: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// The control listener without a token.
    #[error(
        "control at {address} could be asked by anybody who reaches it; expected a loopback address such as 127.0.0.1:{port}, or a \
         token in airlock.toml: [listen] control_token = {{ env = \"AIRLOCK_CONTROL_TOKEN\" }}",
        port = .address.port()
    )]
    Control {
        /// The address.
        address: SocketAddr,
    },
}

/// Looks at each listener.
pub(crate) fn check(config: &Config) -> Result<(), Exposed> {
    let listen = &config.listen;
    let knows_callers = !config.callers.callers.is_empty() || listen.allow_unauthenticated;
    for (door, address) in [("rest", listen.rest), ("mcp", listen.mcp)] {
        if !knows_callers && !is_loopback(address) {
            return Err(Exposed::Door { door, address });
        }
    }
    match config.control_token.is_none() && !is_loopback(listen.control) {
        true => Err(Exposed::Control { address: listen.control }),
        false => Ok(()),
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_may_listen_where() {
        const CALLER: &str = "[callers.a]\nkey.hash = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'\nplugins = ['*']";
        const TOKEN: &str = "control_token = { file = 'token' }";
        const OPEN: &str = "allow_unauthenticated = true";
        let (rest, mcp, control) = (Some("rest at"), Some("mcp at"), Some("control at"));
        for (listen, callers, refused) in [
            ("", "", None),
            ("rest = '127.1.2.3:1'\nmcp = '[::1]:1'\ncontrol = '[::ffff:127.0.0.1]:1'", "", None),
            ("rest = '0.0.0.0:1'", "", rest),
            ("rest = '[::]:1'", "", rest),
            ("rest = '10.0.0.1:1'", "", rest),
            ("mcp = '[::ffff:10.0.0.1]:1'", "", mcp),
            ("rest = '0.0.0.0:1'\nmcp = '0.0.0.0:1'", CALLER, None),
            ("rest = '0.0.0.0:1'\nmcp = '0.0.0.0:1'\nallow_unauthenticated = true", "", None),
            ("mcp = '0.0.0.0:1'\nallow_unauthenticated = false", "", mcp),
            ("mcp = '0.0.0.0:1'\ncontrol_token = { file = 'token' }", "", mcp),
            // Neither callers nor a proxy in front say who manages.
            ("control = '0.0.0.0:1'", "", control),
            ("control = '0.0.0.0:1'", CALLER, control),
            (&format!("control = '0.0.0.0:1'\n{OPEN}"), "", control),
            (&format!("control = '0.0.0.0:1'\n{TOKEN}"), "", None),
        ] {
            let config = Config::parse(&format!("[listen]\n{listen}\n{callers}"), Path::new("airlock.toml")).unwrap();
            let found = check(&config).map_err(|exposed| exposed.to_string());
            match (&found, refused) {
                (Ok(()), None) => {}
                (Err(text), Some(start)) => assert!(text.starts_with(start) && text.contains("airlock.toml"), "{text}"),
                _ => panic!("{found:?} for {listen} {callers}"),
            }
        }
    }
}
