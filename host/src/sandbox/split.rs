//! Takes apart what a document was made into: what all documents have in common, and the document's memory.
//!
//! Documents become components that differ in the data of their first core module alone. As a component has its code to itself, each of
//! them would be compiled, linked and mapped for itself. So the module becomes two: one has the code and imports its memory, the other
//! has the memory and what lies in it. The component imports both, and so is the same for all documents of a runtime; what is left of a
//! document is a core module without code.

use wasm_encoder::{
    Component, ComponentAliasSection, ComponentImportSection, ComponentSectionId, ComponentTypeRef, CoreTypeSection,
    DataSection, EntityType, ExportKind, ExportSection, ImportSection, InstanceSection, MemorySection, MemoryType,
    Module, ModuleArg, ModuleType, RawSection,
    reencode::{Reencode, ReencodeComponent, RoundtripReencoder, component_utils},
};
use wasmparser::{
    BinaryReader, DataKind, DataSectionReader, Export, ExternalKind, Instance, Parser, Payload, SectionLimited, TypeRef,
};
use wasmtime::{Result, bail};

/// What the component imports: core modules.
pub(super) const CODE: &str = "code";
pub(super) const DATA: &str = "data";

/// What the data exports. The code imports it from there.
const MEMORY: &str = "memory";

/// A memory of whatever size.
const ANY_MEMORY: EntityType =
    EntityType::Memory(MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None });

/// A component in parts.
pub(super) struct Split {
    /// Imports [`CODE`] and [`DATA`].
    pub(super) component: Vec<u8>,
    /// The code of its first core module.
    pub(super) code: Vec<u8>,
    /// The memory of that module: all that a document has to itself.
    pub(super) data: Vec<u8>,
}

/// Takes a component apart.
///
/// # Errors
/// It isn't built as `wit-component` builds one of a module with a memory of its own, which those of this release are.
pub(super) fn split(component: &[u8]) -> Result<Split> {
    let sections = sections(component)?;
    let Some(at) = sections.iter().position(|it| it.id == ComponentSectionId::CoreModule as u8) else {
        bail!("the component has no core module");
    };
    let Parts { code, data, signature } = take_apart(sections[at].data)?;
    let mut rest = Component::new();
    import(&mut rest, &signature);
    let mut instances = InstanceSection::new();
    instances.instantiate::<[_; 0], &str>(1, []);
    rest.section(&instances);
    let others = sections.iter().enumerate().filter(|(index, _)| *index != at);
    others.map(|(_, section)| section).try_for_each(|section| carry_over(section, &mut rest))?;
    Ok(Split { component: rest.finish(), code: code.finish(), data: data.finish() })
}

/// A component's sections, unread: each has its kind, its length, and its contents.
fn sections(component: &[u8]) -> Result<Vec<RawSection<'_>>> {
    let mut reader = BinaryReader::new(component, 0);
    reader.read_bytes(Component::HEADER.len())?;
    let mut sections = Vec::new();
    while !reader.eof() {
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()? as usize;
        sections.push(RawSection { id, data: reader.read_bytes(length)? });
    }
    Ok(sections)
}

/// Declares the first two core modules: the code, and the data.
fn import(rest: &mut Component, code: &ModuleType) {
    let mut data = ModuleType::new();
    data.export(MEMORY, ANY_MEMORY);
    let (mut types, mut imports) = (CoreTypeSection::new(), ComponentImportSection::new());
    for (index, (name, ty)) in [(CODE, code), (DATA, &data)].into_iter().enumerate() {
        types.ty().module(ty);
        imports.import(name, ComponentTypeRef::Module(index as u32));
    }
    rest.section(&types);
    rest.section(&imports);
}

/// Carries a section over. What comes after the first core module and the first instance counts one more of each. Names go, which are
/// by numbers too: who wants to read them has the whole component.
fn carry_over(section: &RawSection<'_>, rest: &mut Component) -> Result<()> {
    let reader = BinaryReader::new(section.data, 0);
    if section.id == ComponentSectionId::CoreInstance as u8 {
        let mut instances = InstanceSection::new();
        Shifted.parse_instance_section(&mut instances, SectionLimited::new(reader)?)?;
        rest.section(&instances);
    } else if section.id == ComponentSectionId::Alias as u8 {
        let mut aliases = ComponentAliasSection::new();
        Shifted.parse_component_alias_section(&mut aliases, SectionLimited::new(reader)?)?;
        rest.section(&aliases);
    } else if section.id == ComponentSectionId::CoreType as u8 {
        bail!("the component has core types of its own");
    } else if section.id != ComponentSectionId::CoreCustom as u8 {
        rest.section(section);
    }
    Ok(())
}

/// Numbers core modules and their instances anew, and gives the code its memory.
struct Shifted;

impl Reencode for Shifted {
    type Error = std::convert::Infallible;
}

impl ReencodeComponent for Shifted {
    /// The code takes the place of the module that it is from; behind it comes the data.
    fn module_index(&mut self, index: u32) -> u32 {
        if index == 0 { 0 } else { index + 1 }
    }

    fn instance_index(&mut self, index: u32) -> u32 {
        index + 1
    }

    fn parse_instance(
        &mut self,
        instances: &mut InstanceSection,
        instance: Instance<'_>,
    ) -> Result<(), wasm_encoder::reencode::Error> {
        match instance {
            Instance::Instantiate { module_index: 0, args } => {
                let args = args.iter().map(|arg| (arg.name, ModuleArg::Instance(self.instance_index(arg.index))));
                instances.instantiate(0, args.chain([(DATA, ModuleArg::Instance(0))]).collect::<Vec<_>>());
                Ok(())
            }
            other => component_utils::parse_instance(self, instances, other),
        }
    }
}

/// A core module in two parts.
struct Parts {
    code: Module,
    data: Module,
    /// The type of the code.
    signature: ModuleType,
}

/// Everything but the memory and what lies in it is code.
fn take_apart(module: &[u8]) -> Result<Parts> {
    let (mut code, mut data, mut signature) = (Module::new(), Module::new(), Signature::default());
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        signature.learn(&payload)?;
        match &payload {
            Payload::ImportSection(section) => {
                let mut imports = ImportSection::new();
                RoundtripReencoder.parse_import_section(&mut imports, section.clone())?;
                imports.import(DATA, MEMORY, ANY_MEMORY);
                code.section(&imports);
            }
            Payload::MemorySection(section) => {
                let mut memories = MemorySection::new();
                RoundtripReencoder.parse_memory_section(&mut memories, section.clone())?;
                data.section(&memories);
                let mut exports = ExportSection::new();
                exports.export(MEMORY, ExportKind::Memory, 0);
                data.section(&exports);
            }
            Payload::DataSection(section) => {
                data.section(&active(section.clone())?);
            }
            // Nothing is left to count. Names are for people, who have them in the whole component.
            Payload::DataCountSection { .. } | Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    code.section(&RawSection { id, data: &module[range] });
                }
            }
        }
    }
    Ok(Parts { code, data, signature: signature.declared })
}

/// The segments that are copied before anything runs. Where a snapshot was taken there are empty ones besides.
fn active(section: DataSectionReader<'_>) -> Result<DataSection> {
    let mut segments = DataSection::new();
    for segment in section {
        let segment = segment?;
        match segment.kind {
            DataKind::Active { .. } => RoundtripReencoder.parse_data(&mut segments, segment)?,
            DataKind::Passive if segment.data.is_empty() => {}
            DataKind::Passive => bail!("the code has data of its own"),
        }
    }
    Ok(segments)
}

/// What the code imports and exports, as far as the component uses it: functions, and the memory.
#[derive(Default)]
struct Signature {
    declared: ModuleType,
    /// The type of each function so far.
    functions: Vec<u32>,
}

impl Signature {
    fn learn(&mut self, payload: &Payload<'_>) -> Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for ty in section.clone().into_iter_err_on_gc_types() {
                    self.declared.ty().func_type(&RoundtripReencoder.func_type(ty?)?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import?;
                    let TypeRef::Func(ty) = import.ty else { bail!("the code imports more than functions") };
                    self.declared.import(import.module, import.name, EntityType::Function(ty));
                    self.functions.push(ty);
                }
                self.declared.import(DATA, MEMORY, ANY_MEMORY);
            }
            Payload::FunctionSection(section) => {
                for ty in section.clone() {
                    self.functions.push(ty?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let Export { name, kind, index } = export?;
                    let ty = match kind {
                        ExternalKind::Func => EntityType::Function(self.functions[index as usize]),
                        ExternalKind::Memory => ANY_MEMORY,
                        _ => continue,
                    };
                    self.declared.export(name, ty);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use super::*;
    use crate::{
        component::{Loader, Source},
        document::Files,
        sandbox::Sandbox,
    };

    #[tokio::test]
    async fn documents_have_all_but_their_data_in_common() {
        let loader = Loader::new(Arc::new(Sandbox::new().unwrap()));
        let text = include_str!("../../../plugins/metal-users/capability.yaml");
        let other = text.replace("Given name.", "First name.");
        assert_ne!(text, other);
        let mut made = Vec::new();
        for text in [text.to_owned(), other] {
            let document = Source::Document { text, files: Files::default(), path: PathBuf::new() };
            made.push(split(&loader.component(document).await.unwrap()).unwrap());
        }
        assert!(made[0].component == made[1].component && made[0].code == made[1].code);
        assert!(made[0].data != made[1].data);
        assert!(made[0].component.len() + made[0].data.len() < made[0].code.len());
    }

    #[test]
    fn what_is_built_otherwise_is_refused() {
        for (component, expected) in [
            (Component::HEADER.to_vec(), "the component has no core module"),
            (b"\0asm".to_vec(), "unexpected end-of-file"),
        ] {
            let error = split(&component).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
