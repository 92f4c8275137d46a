//! Components become code: compiled, or taken from where it is kept.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    path::Path,
};

use wasmtime::{Engine, Module, component::Component};

use super::cache::{Cache, CacheError};

/// Compiles for one engine.
pub(super) struct Compiler {
    engine: Engine,
    cache: Option<Cache>,
}

impl Compiler {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, cache: None }
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
        // SAFETY: `kept` gives it what `serialize` has made of a component.
        let read = |code: Vec<u8>| unsafe { Component::deserialize(&self.engine, code) };
        self.kept(wasm, read, || Component::new(&self.engine, wasm), Component::serialize)
    }

    /// The code of a core module.
    pub(super) fn compile_module(&self, wasm: &[u8]) -> wasmtime::Result<Module> {
        // SAFETY: `kept` gives it what `serialize` has made of a module.
        let read = |code: Vec<u8>| unsafe { Module::deserialize(&self.engine, code) };
        self.kept(wasm, read, || Module::new(&self.engine, wasm), Module::serialize)
    }

    /// Code from where it is kept, or else made and put there. What is given to `read` is what an engine like this one has compiled: it comes
    /// whole from a folder in which nobody but this user, who runs the host, can write.
    fn kept<T>(
        &self,
        wasm: &[u8],
        read: impl FnOnce(Vec<u8>) -> wasmtime::Result<T>,
        make: impl FnOnce() -> wasmtime::Result<T>,
        serialize: impl FnOnce(&T) -> wasmtime::Result<Vec<u8>>,
    ) -> wasmtime::Result<T> {
        let Some(cache) = &self.cache else {
            return make();
        };
        if let Some(code) = cache.find(wasm) {
            match read(code) {
                Ok(code) => return Ok(code),
                Err(error) => tracing::warn!("compiled code can't be used, and is made anew: {error:#}"),
            }
        }
        let made = make()?;
        let kept = serialize(&made).and_then(|code| Ok(cache.keep(wasm, &code)?));
        if let Err(error) = kept {
            tracing::warn!("compiled code can't be kept: {error:#}");
        }
        Ok(made)
    }
}
