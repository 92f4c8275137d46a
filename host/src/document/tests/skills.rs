//! Skills: what a document must say of them. What they become is tested at the boundary.

use std::collections::BTreeMap;

use super::super::{Files, Located, compile_with};
use super::Mode;
use crate::document::plan::Action;

const DOCUMENT: &str = r#"ikanos: 1.0.0-beta5
info: { display: Users, description: Reads users. }
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: https://api.example.com
      resources: { user: { path: /users, operations: { listusers: { method: GET } } } }
  exposes:
    - type: rest
      namespace: rest
      resources: { users: { path: /users, operations: { listusers: { method: GET, call: api.listusers } } } }
    - type: skill
      namespace: guides
      skills:
        review:
          description: Reviews users.
          location: file:///./review
          tools:
            list: { description: Lists., from: { sourceNamespace: rest, action: listusers } }
            how: { description: How., instruction: how.md }
"#;

fn files() -> Files {
    let review = [("SKILL.md", "main"), ("how.md", "So.")].map(|(path, text)| (path.to_owned(), text.into()));
    let located = [
        ("review", Ok(Located::Folder(review.into()))),
        ("other", Ok(Located::Folder(BTreeMap::from([("how.md".to_owned(), "So.".into())])))),
        ("file", Ok(Located::File("x".into()))),
    ];
    Files { located: located.map(|(path, found)| (path.to_owned(), found)).into(), ..Files::default() }
}

#[test]
fn a_file_is_one_operation_for_both() {
    let plan = compile_with(DOCUMENT, &files(), Mode::Strict).unwrap_or_else(|e| panic!("{e:?}")).plan;
    let served = plan.actions.iter().filter(|action| matches!(action, Action::Constant(_))).count();
    // The catalogue, the skill, its contents, its archive, its files.
    assert_eq!(served, 6);
    let main = &plan.facts.resources[0];
    let operation = plan.description.operations.iter().find(|it| it.name == main.operation).expect("an operation");
    assert_eq!(operation.name, "skill-review-SKILL.md");
    assert_eq!(operation.route.as_ref().expect("a route").path, "/guides/skills/review/contents/SKILL.md");
    assert!(operation.effects.read_only && !operation.effects.open_world);
    assert_eq!(plan, compile_with(DOCUMENT, &files(), Mode::Strict).expect("the same").plan);
}

#[test]
fn what_is_wrong_is_told() {
    let skill = "capability.exposes[1].skills.review";
    let long = format!("description: {}", "x".repeat(1025));
    for (from, to, expected) in [
        ("sourceNamespace: rest", "sourceNamespace: guides", "AL023 @.tools.list.from.sourceNamespace"),
        ("action: listusers", "action: listuser", "AL023 @.tools.list.from.action"),
        ("instruction: how.md", "instruction: SKILLS.md", "AL023 @.tools.how.instruction"),
        (
            "instruction: how.md",
            "from: {sourceNamespace: rest, action: listusers}, instruction: how.md",
            "AL007 @.tools.how.instruction",
        ),
        (", instruction: how.md", "", "AL005 @.tools.how"),
        ("./review", "./other", "AL080 @.location"),
        ("./review", "./file", "AL080 @.location"),
        ("./review", "./gone", "AL080 @.location"),
        ("          location: file:///./review\n", "", "AL080 @.tools.how.instruction"),
        ("        review:", "        a_b:", "AL020 capability.exposes[1].skills.a_b"),
        ("description: Reviews users.", long.as_str(), "AL007 @.description"),
        ("description: Reviews users.", "description: x\n          metadata: {a: 1}", "AL006 @.metadata.a"),
    ] {
        assert!(DOCUMENT.contains(from), "{from}");
        let told = compile_with(&DOCUMENT.replacen(from, to, 1), &files(), Mode::Tolerant).expect_err(to);
        let told: Vec<_> = told.iter().map(|it| format!("{} {}", it.code, it.path).replace(skill, "@")).collect();
        assert_eq!(told, [expected], "{to}");
    }
}
