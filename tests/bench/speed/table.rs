//! What was measured, as a table for people and as figures for programs.

use std::{fmt, time::Duration};

use serde_json::{Map, Value, json};

use super::load::Taken;
use crate::percentile;

/// The rows that figures are made of.
pub const PROXY: &str = "plain hyper proxy";
pub const REST: &str = "airlock, REST";
pub const REUSED: &str = "airlock, REST, reused";
pub const MCP: &str = "airlock, MCP 2026-07-28";
pub const LEGACY: &str = "airlock, MCP 2025-11-25";

/// One row in one round.
#[derive(Clone, Copy)]
pub struct Measured {
    per_second: f64,
    bytes_per_second: f64,
    p50: f64,
    p99: f64,
    p999: f64,
    /// Processor time per request, in microseconds.
    cost: f64,
    /// Processor time of the clients and the upstream, in processors.
    others: f64,
    resident: f64,
}

impl Measured {
    pub fn of(mut taken: Taken, used: Duration, others: Duration, resident: f64) -> Self {
        taken.times.sort_unstable();
        let at = |share| percentile::at(&taken.times, share).as_secs_f64() * 1e6;
        let (count, elapsed) = (taken.times.len() as f64, taken.elapsed.as_secs_f64());
        Self {
            per_second: count / elapsed,
            bytes_per_second: taken.bytes as f64 / elapsed,
            p50: at(0.50),
            p99: at(0.99),
            p999: at(0.999),
            cost: used.as_secs_f64() * 1e6 / count,
            others: others.as_secs_f64() / elapsed,
            resident,
        }
    }
}

/// All rows for one size of answers and one number of connections.
pub struct Cell {
    rows: Vec<(&'static str, Vec<Measured>)>,
}

impl Cell {
    pub fn of(names: impl Iterator<Item = &'static str>) -> Self {
        Self { rows: names.map(|name| (name, Vec::new())).collect() }
    }

    pub fn add(&mut self, row: usize, measured: Measured) {
        self.rows[row].1.push(measured);
    }

    /// The figures that somebody compares.
    pub fn figures(&self, size: &str, connections: usize, figures: &mut Map<String, Value>) {
        let mut add = |name: String, value: Option<f64>| {
            if let Some(value) = value {
                figures.insert(name, json!((value * 1000.0).round() / 1000.0));
            }
        };
        let ratio = |row, what: fn(&Measured) -> f64| self.compared(row, what, |it, proxy| it / proxy);
        for (row, name) in [(REST, "rest"), (MCP, "mcp"), (LEGACY, "mcp_legacy")] {
            add(format!("{name}_{size}_c{connections}_ratio"), ratio(row, |it| it.per_second));
        }
        match (size, connections) {
            ("small", 1) => {
                let added = self.compared(REST, |it| it.p50, |it, proxy| it - proxy);
                add("rest_small_c1_added_p50_us".to_owned(), added);
            }
            ("small", 16) => add("rest_small_c16_reuse_ratio".to_owned(), ratio(REUSED, |it| it.per_second)),
            ("small", 128) => add("p99_c128_ratio".to_owned(), ratio(REST, |it| it.p99)),
            ("large", 16) => add("rest_large_bytes_ratio".to_owned(), ratio(REST, |it| it.bytes_per_second)),
            _ => {}
        }
    }

    /// The median over the rounds of how a row compares with the proxy in the same round.
    fn compared(&self, row: &str, what: fn(&Measured) -> f64, compare: fn(f64, f64) -> f64) -> Option<f64> {
        let rounds = |name| self.rows.iter().find(|(it, _)| *it == name).map(|(_, rounds)| rounds);
        let rounds = rounds(row)?.iter().zip(rounds(PROXY)?);
        Some(median(rounds.map(|(it, proxy)| compare(what(it), what(proxy))).collect()))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:26} {:>10} {:>15} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}",
            "",
            "requests/s",
            "least – most",
            "ratio",
            "MB/s",
            "p50 µs",
            "p99 µs",
            "p99.9 µs",
            "CPU µs",
            "others",
            "RSS MB"
        )?;
        for (name, rounds) in &self.rows {
            let of = |what: fn(&Measured) -> f64| median(rounds.iter().map(what).collect());
            let all = || rounds.iter().map(|it| it.per_second);
            let spread = format!("{:.0} – {:.0}", all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
            let ratio = self.compared(name, |it| it.per_second, |it, proxy| it / proxy).unwrap_or(f64::NAN);
            writeln!(
                f,
                "{name:26} {:>10.0} {spread:>15} {ratio:>6.2} {:>9.1} {:>9.0} {:>9.0} {:>9.0} {:>9.1} {:>7.2} {:>7.1}",
                of(|it| it.per_second),
                of(|it| it.bytes_per_second / 1e6),
                of(|it| it.p50),
                of(|it| it.p99),
                of(|it| it.p999),
                of(|it| it.cost),
                of(|it| it.others),
                of(|it| it.resident),
            )?;
        }
        Ok(())
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
