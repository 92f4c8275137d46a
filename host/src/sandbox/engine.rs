//! The engine: how guests are compiled, what they may be built of, what they can import, and the clock that interrupts them.
//!
//! Once per process. What a single call may use is set in its store.

use std::{thread, time::Duration};

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::{HasSelf, Linker},
};
use wasmtime_wasi::p2::bindings as wasi;

use super::{idle::MAX_IDLE, state::State};

/// How often a running guest gives the thread back, and so the grain of the processor-time limit. 5 ms: other calls on the same
/// thread wait no longer than that for a guest that loops, and 200 wake-ups a second cost nothing that can be measured.
const TICK: Duration = Duration::from_millis(5);

/// Instances at the same time over all plugins. 1 000 is more calls than one process with the default limits of 64 per plugin
/// usually holds; each costs address space only (two memories of 4 GiB, of 128 TiB) until it is used.
pub const MAX_INSTANCES: u32 = 1000;

/// What a component may be built of. A provider is a handful of core modules: its own, and the adapters that its toolchain adds.
/// The pool has room for as many of each when every instance takes all that it may: no plugin's build can use up another's share.
const MAX_CORE_INSTANCES_PER_COMPONENT: u32 = 8;

/// Linear memories of one component: its own, and an adapter's.
const MAX_MEMORIES_PER_COMPONENT: u32 = 2;

/// Tables of one component: one for each core module that has indirect calls.
const MAX_TABLES_PER_COMPONENT: u32 = 8;

/// Entries of one table, those that a guest adds included. Rust guests have a few hundred functions in theirs; 20 000 is 160 kB.
pub(super) const MAX_TABLE_ENTRIES: usize = 20_000;

/// The stack of a guest. 512 kB is the engine's default, and deep enough for the parsers of JSON and XML that providers bring; a guest
/// that needs more traps.
const MAX_WASM_STACK: usize = 512 << 10;

/// The stack of a call: the guest's, and 1.5 MB for the host functions that it calls from wherever it stands. They don't recurse.
const CALL_STACK: usize = 2 << 20;

/// The largest memory that a grant can allow: the pool is made with slots of this size.
pub const MAX_MEMORY: usize = 1 << 30;

/// What a memory's slot, or a table's, keeps of what its last call has touched: so much is copied back, the rest is given back to the
/// system and has to be asked for anew. 256 kB: several times what a compiled document touches, and half a gigabyte where a thousand calls
/// with two memories each have touched more at the same moment. Each page that is kept saves a page fault, and a call that gives
/// back nothing doesn't lock the address space, which is everybody's.
const KEPT: usize = 256 << 10;

/// Makes the engine and starts its clock.
pub(super) fn start() -> wasmtime::Result<Engine> {
    let engine = Engine::new(&config())?;
    start_clock(&engine)?;
    Ok(engine)
}

fn config() -> Config {
    /// Those that run, and those that wait for a call.
    const ALL: u32 = MAX_INSTANCES + MAX_IDLE;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(ALL)
        .total_core_instances(ALL * MAX_CORE_INSTANCES_PER_COMPONENT)
        .total_memories(ALL * MAX_MEMORIES_PER_COMPONENT)
        .total_tables(ALL * MAX_TABLES_PER_COMPONENT)
        .total_stacks(ALL)
        .max_core_instances_per_component(MAX_CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MAX_MEMORIES_PER_COMPONENT)
        .max_tables_per_component(MAX_TABLES_PER_COMPONENT)
        .max_memory_size(MAX_MEMORY)
        .table_elements(MAX_TABLE_ENTRIES)
        // Looks at the pages that a call has touched alone: half the cost of a call otherwise.
        .pagemap_scan(wasmtime::Enabled::Auto);
    // Elsewhere all that is kept would be copied back for each call, touched or not.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.linear_memory_keep_resident(KEPT).table_keep_resident(KEPT);
    }
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(CALL_STACK)
        // No guest of this contract uses WASI 0.3, and its bookkeeping costs every call.
        .concurrency_support(false);
    config
}

/// The clock runs as long as the engine is used: it holds it weakly.
fn start_clock(engine: &Engine) -> wasmtime::Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// What a guest can import: HTTP through the mediator, its caller's side, and what a standard library needs to start. Both clocks and the system's
/// randomness are among it: providers sign and date requests and make keys for idempotency. No sockets.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    use wasmtime_wasi::{
        cli::{WasiCli, WasiCliView},
        filesystem::{WasiFilesystem, WasiFilesystemView},
        random::{WasiRandom, WasiRandomView as _},
    };
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    wasmtime_wasi_http::p2::add_to_linker_async(l)?;
    wasi::cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    wasi::filesystem::preopens::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    wasi::random::insecure::add_to_linker::<State, WasiRandom>(l, State::random)?;
    super::bindings::fetch::add_to_linker::<State, HasSelf<State>>(l, |state| state)?;
    super::bindings::events::add_to_linker::<State, HasSelf<State>>(l, |state| state)?;
    super::bindings::body::add_to_linker::<State, HasSelf<State>>(l, |state| state)?;
    super::bindings::dialogue::add_to_linker::<State, HasSelf<State>>(l, |state| state)?;
    wasi::random::insecure_seed::add_to_linker::<State, WasiRandom>(l, State::random)?;
    Ok(linker)
}
