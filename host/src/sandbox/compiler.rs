//! Components become code: compiled, or taken from where it is kept.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    path::Path,
    sync::{Mutex, PoisonError},
};

use wasmtime::{Engine, component::Component};

use super::cache::{Cache, CacheError};

/// Compiles for one engine.
pub(super) struct Compiler {
    engine: Engine,
    cache: Option<Cache>,
    /// What is compiled once for a process: the runtimes of which documents are made, few and always the same.
    once: Mutex<Vec<(Vec<u8>, Component)>>,
}

impl Compiler {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, cache: None, once: Mutex::default() }
    }

    /// Keeps what it compiles in this folder.
    pub(super) fn keep_in(&mut self, folder: &Path) -> Result<(), CacheError> {
        let mut settings = DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut settings);
        let compiler = format!("{} {:016x}", env!("CARGO_PKG_VERSION"), settings.finish());
        self.cache = Some(Cache::open(folder, &compiler)?);
        Ok(())
    }

    /// The code of a component.
    pub(super) fn compile(&self, wasm: &[u8]) -> wasmtime::Result<Component> {
        let Some(cache) = &self.cache else {
            return Component::new(&self.engine, wasm);
        };
        if let Some(code) = cache.find(wasm) {
            // SAFETY: the code is what an engine like this one has compiled: it comes whole from a folder in which nobody but this user,
            // who runs the host, can write.
            match unsafe { Component::deserialize(&self.engine, code) } {
                Ok(component) => return Ok(component),
                Err(error) => tracing::warn!("compiled code can't be used, and is made anew: {error:#}"),
            }
        }
        let component = Component::new(&self.engine, wasm)?;
        let kept = component.serialize().and_then(|code| Ok(cache.keep(wasm, &code)?));
        if let Err(error) = kept {
            tracing::warn!("compiled code can't be kept: {error:#}");
        }
        Ok(component)
    }

    /// The code of a component that is asked for again and again.
    pub(super) fn compile_once(&self, wasm: &[u8]) -> wasmtime::Result<Component> {
        // What a panic has left behind was whole before.
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, component)) = once.iter().find(|(other, _)| other == wasm) {
            return Ok(component.clone());
        }
        let component = self.compile(wasm)?;
        once.push((wasm.to_owned(), component.clone()));
        Ok(component)
    }
}
