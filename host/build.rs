//! Builds the guests that the binary carries: the document runtime, and the hand-written provider that `airlock demo` shows.
//!
//! A nested cargo with a target folder of its own, because the guests are for another target and another profile.

use std::{env, path::PathBuf, process::Command};

/// The packages, and the environment variables under which `include_bytes!` finds the components.
const GUESTS: [(&str, &str); 2] =
    [("airlock-runtime", "AIRLOCK_RUNTIME_WASM"), ("m3ter-user-access", "AIRLOCK_USER_ACCESS_WASM")];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("..");
    for input in ["wit", "plugins", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(input).display());
    }
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo")).join("guests");
    let mut build = Command::new(env::var_os("CARGO").expect("set by cargo"));
    build
        .current_dir(&root)
        .args(["build", "--target", "wasm32-wasip2", "--profile", "guest"])
        .arg("--target-dir")
        .arg(&target);
    for (package, _) in GUESTS {
        build.args(["--package", package]);
    }
    // What the outer cargo says about this machine's build must not reach the guests': flags, and clippy as the compiler.
    for inherited in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        build.env_remove(inherited);
    }
    let status = build.status().expect("cargo can be started");
    assert!(status.success(), "building the guests failed; is the target there? rustup target add wasm32-wasip2");
    for (package, variable) in GUESTS {
        let wasm = target.join("wasm32-wasip2/guest").join(format!("{}.wasm", package.replace('-', "_")));
        println!("cargo:rustc-env={variable}={}", wasm.display());
    }
}
