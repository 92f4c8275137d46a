//! Airlock turns HTTP APIs into capabilities for agents and HTTP clients: plugins in a WebAssembly sandbox, every operation as REST
//! and as an MCP tool, every outbound request through the host's mediator.
//!
//! A request's way: `rest` | `mcp` | `cli` -> [`invoke`] -> ([`catalog`]) -> [`sandbox`] -> guest -> `wasi:http` -> [`egress`] -> upstream.

pub mod app;
pub mod caller;
pub mod callers;
pub mod catalog;
pub mod cli;
mod coerce;
pub mod component;
pub mod conditions;
pub mod config;
pub mod contract;
mod control;
pub mod demo;
pub mod document;
pub mod egress;
pub mod failure;
pub mod grant;
pub mod import;
pub mod invoke;
mod json;
pub mod listen;
mod mcp;
mod metrics;
mod percent;
#[doc(hidden)]
pub mod pieces;
mod rate;
mod rest;
pub mod sandbox;

pub use metrics::PHASE;
