//! Builds the guests that the binary carries: the document runtime, and the hand-written provider that `airlock demo` shows.
//!
//! A nested cargo with a target folder of its own, because the guests are for another target and another profile.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A component, as any provider's is built.
const COMPONENT: &str = "wasm32-wasip2";

/// A core module that imports nothing but what it names: a standard library that could print would bring forty functions, and each
/// costs every call. The host makes a component of it.
const CORE_MODULE: &str = "wasm32-unknown-unknown";

/// The packages, for what they are built, with what else cargo is told, and the environment variables under which `include_bytes!`
/// finds them.
const GUESTS: [(&str, &str, &[&str], &str); 4] = [
    ("airlock-runtime", CORE_MODULE, &[], "AIRLOCK_RUNTIME_WITH_FORMATS_WASM"),
    (
        "airlock-runtime",
        CORE_MODULE,
        &["--no-default-features", "--features", "results"],
        "AIRLOCK_RUNTIME_WITH_RESULTS_WASM",
    ),
    ("airlock-runtime", CORE_MODULE, &["--no-default-features"], "AIRLOCK_RUNTIME_WASM"),
    ("m3ter-user-access", COMPONENT, &[], "AIRLOCK_USER_ACCESS_WASM"),
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("..");
    for input in ["wit", "plugins", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(input).display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    // Below the outer cargo's own folder, whose lock it holds, and not in this script's: clippy has another one, as have the tests.
    let guests = out.ancestors().nth(3).expect("cargo's is <profile>/build/<package>/out").join("guests");
    for (package, target, options, variable) in GUESTS {
        let built = build(package, target, options, &root, &guests);
        // Copied, because the next build of the same package writes over it; and not into what is there, which may have other names.
        let kept = out.join(variable).with_extension("wasm");
        fs::remove_file(&kept).ok();
        fs::copy(&built, &kept).unwrap_or_else(|e| panic!("{} can't be copied: {e}", built.display()));
        println!("cargo:rustc-env={variable}={}", kept.display());
    }
}

/// Builds a guest, and says where it is.
fn build(package: &str, target: &str, options: &[&str], root: &Path, folder: &Path) -> PathBuf {
    let mut build = Command::new(env::var_os("CARGO").expect("set by cargo"));
    build
        .current_dir(root)
        .args(["build", "--target", target, "--profile", "guest", "--package", package])
        .args(options)
        .arg("--target-dir")
        .arg(folder);
    // What the outer cargo says about this machine's build must not reach the guests': flags, and clippy as the compiler.
    for inherited in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        build.env_remove(inherited);
    }
    let status = build.status().expect("cargo can be started");
    assert!(status.success(), "building the guests failed; is the target there? rustup target add {target}");
    folder.join(target).join("guest").join(format!("{}.wasm", package.replace('-', "_")))
}
