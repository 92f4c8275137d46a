//! What people know: nginx as a reverse proxy, where it is installed.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::process::Process;

/// How long it may take to start. It is there in milliseconds; a machine that is busy with builds takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An nginx that runs.
pub struct Nginx {
    pub authority: String,
    pub process: Process,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it in front of the upstream, in one process, which has one processor; `None` where it isn't installed.
    pub fn start(upstream: &str) -> Option<Self> {
        let installed = Command::new("nginx").arg("-v").output();
        if installed.is_err_and(|it| it.kind() == io::ErrorKind::NotFound) {
            println!("nginx isn't installed, and has no row");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        // It can't be told to take any port and say which.
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let address = TcpListener::bind(any).and_then(|it| it.local_addr()).expect("a free port");
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config(upstream, address)).expect("a new file");
        let process = Process::start(Command::new("nginx").arg("-p").arg(folder.path()).arg("-c").arg(file));
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < PATIENCE, "nginx doesn't listen at {address}");
            std::thread::yield_now();
        }
        Some(Self { authority: address.to_string(), process, _folder: folder })
    }
}

/// Connections stay open on both sides, and answers go through as they come: what the other rows do.
fn config(upstream: &str, address: SocketAddr) -> String {
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    keepalive_requests 1000000000;
    upstream answers {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen {address};
        location / {{ proxy_pass http://answers; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off; }}
    }}
}}
"
    )
}
