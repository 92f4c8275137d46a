//! Builds the guests of `tests/fixtures`, as `host/build.rs` builds those that the binary carries.

use std::{env, path::PathBuf, process::Command};

/// The packages, and the environment variables under which the suite finds the components.
const FIXTURES: [(&str, &str); 7] = [
    ("fixture-conformance", "FIXTURE_CONFORMANCE"),
    ("fixture-hostile", "FIXTURE_HOSTILE"),
    ("fixture-describe-asks", "FIXTURE_DESCRIBE_ASKS"),
    ("fixture-describe-loops", "FIXTURE_DESCRIBE_LOOPS"),
    ("fixture-neighbour", "FIXTURE_NEIGHBOUR"),
    ("fixture-other-world", "FIXTURE_OTHER_WORLD"),
    ("fixture-unknown-import", "FIXTURE_UNKNOWN_IMPORT"),
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("..");
    for input in ["wit", "plugins/sdk", "tests/fixtures", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(input).display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let target = out.ancestors().nth(3).expect("cargo's is <profile>/build/<package>/out").join("guests");
    let mut build = Command::new(env::var_os("CARGO").expect("set by cargo"));
    build
        .current_dir(&root)
        .args(["build", "--target", "wasm32-wasip2", "--profile", "guest"])
        .arg("--target-dir")
        .arg(&target);
    for (package, _) in FIXTURES {
        build.args(["--package", package]);
    }
    // What the outer cargo says about this machine's build must not reach the guests': flags, and clippy as the compiler.
    for inherited in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        build.env_remove(inherited);
    }
    let status = build.status().expect("cargo can be started");
    assert!(status.success(), "building the fixtures failed; is the target there? rustup target add wasm32-wasip2");
    for (package, variable) in FIXTURES {
        let wasm = target.join("wasm32-wasip2/guest").join(format!("{}.wasm", package.replace('-', "_")));
        println!("cargo:rustc-env={variable}={}", wasm.display());
    }
    // The tests are told how they are built: what is counted depends on it.
    println!("cargo:rustc-env=AIRLOCK_OPT_LEVEL={}", env::var("OPT_LEVEL").expect("set by cargo"));
}
