//! What each piece of a call takes, in instructions and in allocations, compared with `goldens/pieces.json`. Unlike the times of
//! `cargo bench`, these don't depend on what else the machine is doing: a change of a few percent is seen on any.
//!
//! Instructions are counted by callgrind, under which this program runs once more. What a host does once isn't counted, nor what a piece
//! does the first few times.

mod allocations;
mod list;

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use list::{Piece, Run};
use serde_json::{Map, Value, json};

/// What is counted, and by how much it may differ from the golden, either way, as a share of it.
///
/// Allocations are always the same. So are the instructions of one program but for 0.01 %, by the seeds of hash tables; what the compiler
/// makes of the same sources differs by up to 1 %, with how it cuts them up: incrementally or not, with the workspace or alone, after
/// changes elsewhere. 3 % is three times that.
const FIGURES: [(&str, f64); 2] = [("instructions", 0.03), ("allocations", 0.0)];

/// How often a piece runs before it is counted: caches are filled, and buffers have the size that they keep.
const WARM_UP: usize = 3;

/// How often it runs to be counted. What doesn't happen each time, such as a table that grows, is spread over these.
const ROUNDS: usize = 20;

/// Set for the process that callgrind runs.
const UNDER_CALLGRIND: &str = "AIRLOCK_UNDER_CALLGRIND";

#[test]
fn each_piece_takes_what_the_golden_says() {
    if env::var_os(UNDER_CALLGRIND).is_some() {
        return list::PURE.iter().for_each(|piece| counted(&mut warm(piece)));
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("goldens/pieces.json");
    let golden = fs::read_to_string(&path).map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"));
    let build = build();
    let is_blessed = env::var_os("AIRLOCK_BLESS").is_some();
    if !is_blessed && golden["build"].as_str().is_some_and(|it| it != build) {
        // Past the test harness, which would swallow the words of a test that passes.
        let (file, other) = (path.display(), &golden["build"]);
        let _ = writeln!(io::stderr(), "skipped: the figures in {file} are those of {other}, and this is \"{build}\"");
        return;
    }

    let mut pieces = Map::new();
    let mut differences = Vec::new();
    for (name, measured) in measure() {
        let mut figures = Map::new();
        for ((what, tolerance), now) in FIGURES.into_iter().zip(measured) {
            let Some(now) = now else { continue };
            let before = golden["pieces"][name][what].as_u64();
            println!("{name}: {now} {what}{}", change(before, now));
            // What differs by little stays as it is in the golden: many small changes in the same direction are noticed too.
            let kept = before.filter(|before| now.abs_diff(*before) as f64 <= tolerance * *before as f64);
            if kept.is_none() {
                differences.push(format!("{name}: {now} {what}{}", change(before, now)));
            }
            figures.insert(what.to_owned(), kept.unwrap_or(now).into());
        }
        pieces.insert(name.to_owned(), figures.into());
    }
    let measured = json!({"build": build, "pieces": pieces});
    if is_blessed {
        let text = serde_json::to_string_pretty(&measured).expect("JSON") + "\n";
        return fs::write(&path, text).expect("goldens can be written");
    }
    assert!(
        measured == golden,
        "{} differs; if that is right, run the tests with AIRLOCK_BLESS=1\n{}",
        path.display(),
        differences.join("\n")
    );
}

/// What the compiler was told, and what the processor offers: other builds take other instructions for the same.
fn build() -> String {
    let optimised = env!("AIRLOCK_OPT_LEVEL");
    let assertions = if cfg!(debug_assertions) { "with" } else { "without" };
    format!("{}, opt-level {optimised}, {assertions} debug assertions", processor())
}

/// Code for AVX2 is chosen at run time where there is one. Callgrind offers no more than that, whatever the processor has.
#[cfg(target_arch = "x86_64")]
fn processor() -> &'static str {
    if is_x86_feature_detected!("avx2") { "x86_64 and AVX2" } else { "x86_64" }
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> &'static str {
    env::consts::ARCH
}

/// The figures of each piece, in their order.
fn measure() -> Vec<(&'static str, [Option<u64>; FIGURES.len()])> {
    let pure = list::PURE.iter().zip(instructions().into_iter().map(Some));
    let all = pure.chain(list::SANDBOXED.iter().map(|piece| (piece, None)));
    all.map(|(piece, instructions)| (piece.name, [instructions, Some(allocations(piece))])).collect()
}

fn allocations(piece: &Piece) -> u64 {
    let mut run = warm(piece);
    let before = allocations::count();
    counted(&mut run);
    per_round(allocations::count() - before)
}

/// Those of the pure pieces, one after the other.
fn instructions() -> Vec<u64> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let callgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=instructions::counted", "--dump-after=instructions::counted"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe().expect("a running program has a file"))
        .args(["--exact", "each_piece_takes_what_the_golden_says"])
        .env(UNDER_CALLGRIND, "1")
        .output();
    let done = callgrind.unwrap_or_else(|e| {
        panic!("valgrind, which counts instructions, can't be started: {e}; `make test` installs it for root, as `apt-get install valgrind` does")
    });
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (1..=list::PURE.len()).map(|number| per_round(total(&out.with_extension(number.to_string())))).collect()
}

/// What callgrind has counted from one dump to the next.
fn total(dump: &Path) -> u64 {
    let text = fs::read_to_string(dump).expect("a dump for each piece");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("no total in {text}"))
}

fn per_round(count: u64) -> u64 {
    count / ROUNDS as u64
}

/// The piece, as it runs in a host that has been running for a while.
fn warm(piece: &Piece) -> Run {
    let mut run = (piece.prepare)();
    (0..WARM_UP).for_each(|_| run());
    run
}

/// Callgrind counts while this function runs, and knows it by its name.
#[inline(never)]
fn counted(run: &mut Run) {
    for _ in 0..ROUNDS {
        run();
    }
}

/// How a figure differs from that of the golden.
fn change(before: Option<u64>, now: u64) -> String {
    match before {
        Some(before) if before == now => ", as before".to_owned(),
        Some(before) => format!(" instead of {before} ({:+.1} %)", (now as f64 / before as f64 - 1.0) * 100.0),
        None => ", not in the golden".to_owned(),
    }
}
