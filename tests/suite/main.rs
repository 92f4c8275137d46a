//! Airlock tested at its boundary: hosts are started, called over their ports, and judged by what callers, upstreams and operators
//! see. How a thing works inside is tested beside its code.
//!
//! No network beyond 127.0.0.1, no fixed port, no sleep to wait for something.

mod harness;

mod answers;
mod asking;
mod audience;
mod bad_input;
mod bodies;
mod callers;
mod cancel;
mod check_formats;
mod cli;
mod confirm;
mod conformance;
mod crafted;
mod crowd;
mod discovery;
mod document_credentials;
mod documents_mcp;
mod egress;
mod flows;
mod forward;
mod generated;
mod hostile;
mod hot_load;
mod http2;
mod import;
mod imports;
mod inbound;
mod kept_code;
mod long_results;
mod neighbour;
mod openapi;
mod originals;
mod pages;
mod providers;
mod rest_contract;
mod reuse;
mod sandbox;
mod search;
mod secrets;
mod skills;
mod stdio;
mod streaming;
mod tls;
mod tokens;
mod verbs;
