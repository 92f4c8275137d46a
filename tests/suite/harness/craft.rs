//! Components made by hand, for what no compiler would write: from the text of a core module, or from a description as bytes.

use std::{fmt::Write, path::Path};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::path;

/// A provider of these imports (WIT, such as `import wasi:sockets/tcp@0.2.12;`) whose module begins with these fields. It needs a
/// memory and a function `$describe` that gives the address of its result.
pub fn component(imports: &str, fields: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            {fields}
            (export "memory" (memory 0))
            (export "airlock:capability/provider@0.1.0#describe" (func $describe))
            (func (export "airlock:capability/provider@0.1.0#call") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))"#
    );
    let mut module = wat::parse_str(text).expect("a module");
    let mut resolve = Resolve::default();
    resolve.push_dir(path("../wit")).expect("the contract");
    let world =
        format!("package test:crafted; world crafted {{ include airlock:capability/capability@0.1.0; {imports} }}");
    let package = resolve.push_str(Path::new("crafted.wit"), &world).expect("a world");
    let world = resolve.select_world(&[package], None).expect("one world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a core module");
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.and_then(|mut it| it.encode()).expect("a component of the world")
}

/// A description as it lies in memory: what a guest hands over, whatever it says. The first bytes are the result of `describe`.
pub struct Crafted {
    bytes: Vec<u8>,
}

/// The sizes and places of the canonical ABI: an address and a length for each text and list.
const RESULT: usize = 36;
const OPERATION: usize = 96;
const OPERATIONS: usize = 20;
const INPUT_SCHEMA: usize = 28;

impl Crafted {
    /// Operations with these names and input schemas, and nothing else.
    pub fn new(operations: &[(&str, &str)]) -> Self {
        let mut it = Self { bytes: vec![0; RESULT + OPERATION * operations.len()] };
        it.point(OPERATIONS, RESULT, operations.len());
        for (number, (name, schema)) in operations.iter().enumerate() {
            let at = RESULT + OPERATION * number;
            it.text(at, name);
            it.text(at + INPUT_SCHEMA, schema);
        }
        it
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        const START: usize = 1024;
        let mut bytes = self.bytes.clone();
        for at in self.pointers() {
            let address = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) + START as u32;
            bytes[at..at + 4].copy_from_slice(&address.to_le_bytes());
        }
        let mut data = String::with_capacity(bytes.len() * 3);
        for byte in &bytes {
            write!(data, "\\{byte:02x}").expect("a string takes any text");
        }
        let pages = (START + bytes.len()) / 65536 + 1;
        let describe = format!("(func $describe (result i32) (i32.const {START}))");
        component("", &format!("(memory {pages}) (data (i32.const {START}) \"{data}\") {describe}"))
    }

    fn pointers(&self) -> impl Iterator<Item = usize> + use<> {
        let count = u32::from_le_bytes(self.bytes[OPERATIONS + 4..OPERATIONS + 8].try_into().expect("four bytes"));
        let operations = (0..count as usize).map(|number| RESULT + OPERATION * number);
        operations.flat_map(|at| [at, at + INPUT_SCHEMA]).chain([OPERATIONS])
    }

    fn text(&mut self, at: usize, text: &str) {
        self.point(at, self.bytes.len(), text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn point(&mut self, at: usize, to: usize, length: usize) {
        self.bytes[at..at + 4].copy_from_slice(&(to as u32).to_le_bytes());
        self.bytes[at + 4..at + 8].copy_from_slice(&(length as u32).to_le_bytes());
    }
}
