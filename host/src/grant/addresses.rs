//! `10.1.0.0/16`: ranges of addresses that an operator allows or denies.
//!
//! Nothing is decided here: `egress::address` holds an address against them.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The operator's word on the addresses that names resolve to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Granted names may resolve into these, though they aren't public.
    pub allow: Vec<IpNet>,
    /// Nothing is ever sent into these, whoever named them.
    pub deny: Vec<IpNet>,
}

/// Why a text is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRange {
    /// Neither a range nor an address.
    #[error("is not a range of addresses; expected a form such as 10.1.0.0/16 or fd12::/48")]
    Form,
    /// A range, written in a way that may mean another one than it says.
    #[error("{problem}; expected {expected}")]
    Written {
        /// What is wrong.
        problem: &'static str,
        /// The range that is probably meant.
        expected: IpNet,
    },
}

/// Reads a range. What could be a slip is refused: a slip here opens a network, or leaves it open.
pub fn parse_range(text: &str) -> Result<IpNet, BadRange> {
    let written = |problem, expected: IpNet| Err(BadRange::Written { problem, expected });
    if let Ok(address) = text.parse::<IpAddr>() {
        return written("has no prefix length", address.into());
    }
    let range = read(text).ok_or(BadRange::Form)?;
    if let Some(v4) = mapped(range) {
        return written("is IPv4 in the form of IPv6", v4);
    }
    if range != range.trunc() {
        return written("has bits set beyond its prefix length", range.trunc());
    }
    Ok(range)
}

/// The address is read by the standard library: that of `ipnet` takes `010.0.0.0` for 10.0.0.0, and C for 8.0.0.0.
fn read(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let length = length.bytes().all(|byte| byte.is_ascii_digit()).then_some(length)?;
    IpNet::new(address.parse().ok()?, length.parse().ok()?).ok()
}

/// The IPv4 range that `::ffff:a.b.c.d/n` is: two forms of one range would be one too many to keep in mind.
fn mapped(range: IpNet) -> Option<IpNet> {
    const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
    let IpNet::V6(range) = range else {
        return None;
    };
    let address = range.addr().to_ipv4_mapped().filter(|_| MAPPED.contains(&range))?;
    Some(Ipv4Net::new_assert(address, range.prefix_len() - MAPPED.prefix_len()).trunc().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for text in ["10.1.0.0/16", "203.0.113.7/32", "0.0.0.0/0", "fd12::/48", "::1/128", "64:ff9b::/96", "::/0"] {
            assert_eq!(parse_range(text).map(|range| range.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_may_mean_another_range_is_refused_with_the_right_form() {
        for (text, expected) in [
            ("10.1.2.3/16", "has bits set beyond its prefix length; expected 10.1.0.0/16"),
            ("fd12::1/48", "has bits set beyond its prefix length; expected fd12::/48"),
            ("10.1.2.3", "has no prefix length; expected 10.1.2.3/32"),
            ("::1", "has no prefix length; expected ::1/128"),
            ("::ffff:10.0.0.0/104", "is IPv4 in the form of IPv6; expected 10.0.0.0/8"),
            ("::ffff:10.1.2.3/104", "is IPv4 in the form of IPv6; expected 10.0.0.0/8"),
            ("::ffff:0:0/96", "is IPv4 in the form of IPv6; expected 0.0.0.0/0"),
            ("::ffff:10.1.2.3/128", "is IPv4 in the form of IPv6; expected 10.1.2.3/32"),
        ] {
            assert_eq!(parse_range(text).unwrap_err().to_string(), expected, "{text}");
        }
        for text in [
            "",
            "10.1.0.0/33",
            "10.1.0.0/+16",
            "10.1.0.0/",
            "10.1/16",
            "010.1.0.0/16",
            "0xa.1.0.0/16",
            "fe80::%1/10",
            "example.com/24",
        ] {
            assert_eq!(parse_range(text), Err(BadRange::Form), "{text}");
        }
    }
}
