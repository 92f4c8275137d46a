//! What is counted, and its text form for scrapers. No labels whose values a caller can choose.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::failure::Cause;

/// The target of the spans that say what a call is at. Nobody listens but a benchmark: then it costs next to nothing.
pub const PHASE: &str = "airlock::phase";

/// The counters of one host.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    plugins: Gauge,
    load_failures: Family<File, Counter<u64, AtomicU64>>,
    call_failures: Family<Failed, Counter<u64, AtomicU64>>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct File {
    file: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failed {
    plugin: String,
    cause: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("airlock");
        let plugins = Gauge::default();
        let load_failures = Family::default();
        let call_failures = Family::default();
        registry.register("plugins", "Plugins that are loaded", plugins.clone());
        registry.register(
            "plugin_load_failures",
            "Plugin files that could not be loaded, by file",
            load_failures.clone(),
        );
        registry.register("call_failures", "Calls that failed, by plugin and cause", call_failures.clone());
        Self { registry, plugins, load_failures, call_failures }
    }
}

impl Metrics {
    /// So many plugins are loaded.
    pub fn plugins(&self, loaded: usize) {
        self.plugins.set(i64::try_from(loaded).unwrap_or(i64::MAX));
    }

    /// A file could not be loaded.
    pub fn load_failed(&self, file: &str) {
        let file = File { file: file.to_owned() };
        self.load_failures.get_or_create(&file).inc();
    }

    /// A call failed.
    pub fn call_failed(&self, plugin: &str, cause: Cause) {
        let failed = Failed { plugin: plugin.to_owned(), cause: cause.name() };
        self.call_failures.get_or_create(&failed).inc();
    }

    /// The OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes any text");
        text
    }
}
