//! Builds the guests that the binary carries: the document runtime, and the hand-written provider that `airlock demo` shows.
//!
//! A nested cargo with a target folder of its own, because the guests are for another target and another profile.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The packages, with what else cargo is told, and the environment variables under which `include_bytes!` finds the components.
const GUESTS: [(&str, &[&str], &str); 4] = [
    ("airlock-runtime", &[], "AIRLOCK_RUNTIME_WITH_FORMATS_WASM"),
    ("airlock-runtime", &["--no-default-features", "--features", "results"], "AIRLOCK_RUNTIME_WITH_RESULTS_WASM"),
    ("airlock-runtime", &["--no-default-features"], "AIRLOCK_RUNTIME_WASM"),
    ("m3ter-user-access", &[], "AIRLOCK_USER_ACCESS_WASM"),
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("..");
    for input in ["wit", "plugins", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(input).display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    // Below the outer cargo's own folder, whose lock it holds, and not in this script's: clippy has another one, as have the tests.
    let guests = out.ancestors().nth(3).expect("cargo's is <profile>/build/<package>/out").join("guests");
    for (package, options, variable) in GUESTS {
        let built = build(package, options, &root, &guests);
        // Copied, because the next build of the same package writes over it; and not into what is there, which may have other names.
        let kept = out.join(variable).with_extension("wasm");
        fs::remove_file(&kept).ok();
        fs::copy(&built, &kept).unwrap_or_else(|e| panic!("{} can't be copied: {e}", built.display()));
        println!("cargo:rustc-env={variable}={}", kept.display());
    }
}

/// Builds a guest, and says where it is.
fn build(package: &str, options: &[&str], root: &Path, target: &Path) -> PathBuf {
    let mut build = Command::new(env::var_os("CARGO").expect("set by cargo"));
    build
        .current_dir(root)
        .args(["build", "--target", "wasm32-wasip2", "--profile", "guest", "--package", package])
        .args(options)
        .arg("--target-dir")
        .arg(target);
    // What the outer cargo says about this machine's build must not reach the guests': flags, and clippy as the compiler.
    for inherited in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        build.env_remove(inherited);
    }
    let status = build.status().expect("cargo can be started");
    assert!(status.success(), "building the guests failed; is the target there? rustup target add wasm32-wasip2");
    target.join("wasm32-wasip2/guest").join(format!("{}.wasm", package.replace('-', "_")))
}
