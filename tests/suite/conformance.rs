//! What crosses the sandbox besides a call and its reply: events, questions and answers, resources, prompts, completions. The guest is
//! the fixture that the official conformance suite of MCP meets at `/mcp`.

use airlock::{
    contract::{
        Abilities, Answer, AnswerValue, Content, Contents, Dialogue, Event, Events, FilledIn, Level, Offers,
        QuestionRequest, Questions, Resource, Root, Subject,
    },
    failure::Failure,
    grant::Limits,
    invoke::{complete, get_prompt, list_prompts, list_resources, list_templates, read_resource},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;

use crate::harness::{Crafted, Log, Setup, TestHost, Waist, able, answered, fixture};

async fn waist() -> Waist {
    Waist::of(fixture::CONFORMANCE, Limits::default()).await
}

async fn host() -> TestHost {
    Setup::default().file("conformance.wasm", fixture::CONFORMANCE).config("[grants.conformance]\n").start().await
}

fn text(blocks: &[Content]) -> &str {
    match blocks {
        [Content::Text(text)] => text,
        other => panic!("not one text: {other:?}"),
    }
}

/// The questions that a call asks instead of replying.
fn questions<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> Questions {
    match outcome {
        Err(Failure::InputRequired(questions)) => *questions,
        other => panic!("no questions: {other:?}"),
    }
}

fn answer(key: &str, value: AnswerValue) -> Answer {
    Answer { key: key.to_owned(), value }
}

fn accepted(key: &str, form: Value) -> Answer {
    answer(key, AnswerValue::Accepted(form))
}

fn sampled(key: &str, said: &str) -> Answer {
    let content = vec![Content::Text(said.to_owned())];
    answer(key, AnswerValue::Sampled { model: "test-model".to_owned(), content })
}

fn roots(key: &str) -> Answer {
    answer(key, AnswerValue::Roots(vec![Root { uri: "file:///work".to_owned(), name: None }]))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_content_crosses() {
    let waist = waist().await;
    let resource = |uri: &str, media_type: &str, text: &str| {
        Content::Resource(Resource {
            uri: uri.to_owned(),
            media_type: Some(media_type.to_owned()),
            contents: Contents::Text(text.to_owned()),
        })
    };
    let call = async |name: &str| waist.call(name, json!({}), Dialogue::default()).await.expect("blocks");
    assert_eq!(text(&call("test_simple_text").await), "This is a simple text response for testing.");
    let [Content::Image(image)] = &call("test_image_content").await[..] else { panic!("no image") };
    assert!(image.media_type == "image/png" && image.data.starts_with(b"\x89PNG"));
    let [Content::Audio(audio)] = &call("test_audio_content").await[..] else { panic!("no audio") };
    assert!(audio.media_type == "audio/wav" && audio.data.starts_with(b"RIFF"));
    let embedded = resource("test://embedded-resource", "text/plain", "This is an embedded resource content.");
    assert_eq!(call("test_embedded_resource").await, [embedded]);
    let mixed = call("test_multiple_content_types").await;
    assert_eq!(mixed[0], Content::Text("Multiple content types test:".to_owned()));
    assert_eq!(mixed[1], Content::Image(image.clone()));
    let json = r#"{"test":"data","value":123}"#;
    assert_eq!(mixed[2], resource("test://mixed-content-resource", "application/json", json));
    let [Content::Link(link)] = &call("test_resource_link").await[..] else { panic!("no link") };
    assert_eq!((link.uri.as_str(), link.name.as_str()), ("test://static-text", "static-text"));
}

/// The call with these events wanted, and what was heard.
async fn heard(
    waist: &Waist,
    operation: &str,
    input: Value,
    events: Events,
    mut way: mpsc::Receiver<Event>,
) -> Vec<Event> {
    let dialogue = Dialogue { events, ..able() };
    let hearing = async {
        let mut heard = Vec::new();
        while let Some(event) = way.recv().await {
            heard.push(event);
        }
        heard
    };
    let (outcome, heard) = tokio::join!(waist.call(operation, input, dialogue), hearing);
    assert!(matches!(outcome, Ok(_) | Err(Failure::InputRequired(_))), "{outcome:?}");
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_hears_what_it_wants_to_and_nothing_else() {
    let waist = waist().await;
    let progress = |progress| Event::Progress { progress, total: Some(100.0), message: None };
    let (listener, way) = Events::listener();
    let told = heard(&waist, "test_tool_with_progress", json!({}), listener.progress().listen(), way).await;
    assert_eq!(told, [progress(0.0), progress(50.0), progress(100.0)]);

    let said = |data: &str| {
        let logger = Some("conformance".to_owned());
        Event::Log { level: Level::Info, logger, data: json!(data) }
    };
    let messages = ["Tool execution started", "Tool processing data", "Tool execution completed"].map(said);
    for (level, expected) in [(Level::Debug, &messages[..]), (Level::Info, &messages[..]), (Level::Notice, &[])] {
        let (listener, way) = Events::listener();
        let told = heard(&waist, "test_tool_with_logging", json!({}), listener.log_from(level).listen(), way).await;
        assert_eq!(told, expected, "{level:?}");
    }

    // Progress isn't for who wants messages, nor the other way round; questions come after events.
    let (listener, way) = Events::listener();
    let told = heard(&waist, "test_tool_with_progress", json!({}), listener.log_from(Level::Debug).listen(), way).await;
    assert_eq!(told, []);
    let (listener, way) = Events::listener();
    let told = heard(&waist, "test_streaming_elicitation", json!({}), listener.progress().listen(), way).await;
    assert_eq!(told.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_bounded_in_number_and_size_and_only_what_grows_is_progress() {
    let waist = waist().await;
    let log = Log::listen();
    let input = |times: usize, text: &str| json!({"times": times, "text": text});
    let everything = || {
        let (listener, way) = Events::listener();
        (listener.progress().log_from(Level::Debug).listen(), way)
    };
    // Of each round two messages and one progress; two of what is said make no sense, and one is no JSON.
    let (events, way) = everything();
    let told = heard(&waist, "test_events", input(2, "a"), events, way).await;
    let kinds: Vec<&str> =
        told.iter().map(|event| if let Event::Log { .. } = event { "log" } else { "progress" }).collect();
    assert_eq!(kinds, ["progress", "log", "log", "progress", "log", "log"]);
    let dropped = |number: usize| move |line: &str| line.contains(&format!("{number} more events dropped"));
    log.line(dropped(2)).await;

    let (events, way) = everything();
    let told = heard(&waist, "test_events", input(400, ""), events, way).await;
    assert!(told.len() < 1000, "{} events", told.len());
    log.line(dropped(1600 - told.len())).await;

    // 16 kB of text: fifteen pieces of a thousand letters, with what they are wrapped in.
    let (events, way) = everything();
    let told = heard(&waist, "test_events", input(10, &"x".repeat(1000)), events, way).await;
    assert!((14..=16).contains(&told.len()), "{} events", told.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_does_not_keep_up_holds_its_own_call_and_one_that_is_gone_does_not() {
    let limits = Limits { wall: Duration::from_millis(300), ..Limits::default() };
    let hasty = Waist::of(fixture::CONFORMANCE, limits).await;
    let call = async |waist: &Waist, events| {
        waist.call("test_events", json!({"times": 20}), Dialogue { events, ..Dialogue::default() }).await
    };
    let (listener, way) = Events::listener();
    let outcome = call(&hasty, listener.progress().listen()).await;
    assert!(matches!(outcome, Err(Failure::WallDeadline { .. })), "{outcome:?}");
    drop(way);

    let waist = waist().await;
    let (listener, way) = Events::listener();
    drop(way);
    assert_eq!(text(&call(&waist, listener.progress().listen()).await.expect("a reply")), "Told.");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_goes_on_with_its_answers() {
    let waist = waist().await;
    let call =
        async |name: &str, answers, state: Option<&str>| waist.call(name, json!({}), answered(answers, state)).await;
    let name = || accepted("user_name", json!({"name": "Alice"}));

    let greet = "test_input_required_result_elicitation";
    let asked = questions(call(greet, vec![], None).await);
    let [question] = &asked.questions[..] else { panic!("not one question: {asked:?}") };
    assert_eq!((question.key.as_str(), asked.state), ("user_name", None));
    let QuestionRequest::Elicitation { message, schema } = &question.request else { panic!("no form") };
    assert_eq!(message, "What is your name?");
    let expected = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    assert_eq!(*schema, expected);
    assert_eq!(text(&call(greet, vec![name()], None).await.expect("a reply")), "Hello, Alice!");
    // What nobody asked for is ignored, and what is missing is asked for again.
    let more = vec![accepted("unknown", json!({"foo": "bar"})), name()];
    assert_eq!(text(&call(greet, more, None).await.expect("a reply")), "Hello, Alice!");
    questions(call(greet, vec![accepted("wrong", json!({"name": "Alice"}))], None).await);

    for (operation, answers, expected) in [
        ("test_input_required_result_sampling", vec![sampled("capital_question", "Paris.")], "Paris."),
        ("test_input_required_result_list_roots", vec![roots("client_roots")], "Roots: file:///work"),
        (
            "test_elicitation_sep1034_defaults",
            vec![answer("answer", AnswerValue::Declined)],
            "Elicitation completed: action=decline, content={}",
        ),
        (
            "test_elicitation_sep1330_enums",
            vec![accepted("answer", json!({"titledMulti": ["value1"]}))],
            r#"Elicitation completed: action=accept, content={"titledMulti":["value1"]}"#,
        ),
    ] {
        questions(call(operation, vec![], None).await);
        assert_eq!(text(&call(operation, answers, None).await.expect("a reply")), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_comes_back_and_changes_from_round_to_round() {
    let waist = waist().await;
    let call =
        async |name: &str, answers, state: Option<&str>| waist.call(name, json!({}), answered(answers, state)).await;

    let remember = "test_input_required_result_request_state";
    let state = questions(call(remember, vec![], None).await).state.expect("a state");
    let confirmed = || vec![accepted("confirm", json!({"ok": true}))];
    assert_eq!(text(&call(remember, confirmed(), Some(&state)).await.expect("a reply")), "state-ok");
    questions(call(remember, confirmed(), None).await);

    let rounds = "test_input_required_result_multi_round";
    let first = questions(call(rounds, vec![], None).await).state.expect("a state");
    let name = vec![accepted("step1", json!({"name": "Alice"}))];
    let second = questions(call(rounds, name, Some(&first)).await);
    assert_eq!(second.questions[0].key, "step2");
    let second = second.state.expect("a state");
    assert_ne!(second, first);
    let colour = vec![accepted("step2", json!({"color": "blue"}))];
    assert_eq!(text(&call(rounds, colour, Some(&second)).await.expect("a reply")), "Alice likes blue.");

    let three = "test_input_required_result_multiple_inputs";
    let asked = questions(call(three, vec![], None).await);
    let keys: Vec<&str> = asked.questions.iter().map(|question| question.key.as_str()).collect();
    assert_eq!(keys, ["user_name", "greeting", "client_roots"]);
    let all = vec![accepted("user_name", json!({"name": "Alice"})), sampled("greeting", "Hi"), roots("client_roots")];
    assert_eq!(text(&call(three, all, asked.state.as_deref()).await.expect("a reply")), "Hi Alice has 1 roots.");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_what_their_client_cannot_do() {
    let waist = waist().await;
    let with = |abilities| Dialogue { abilities, ..Dialogue::default() };
    let sampling = Abilities { sampling: true, ..Abilities::NONE };
    for (operation, abilities, lacking) in [
        ("test_missing_capability", Abilities::NONE, "sampling"),
        ("test_input_required_result_elicitation", sampling, "elicitation"),
        ("test_input_required_result_multiple_inputs", sampling, "elicitation, roots"),
    ] {
        match waist.call(operation, json!({}), with(abilities)).await {
            Err(Failure::CannotAsk { lacking: found }) => assert_eq!(found.to_string(), lacking),
            other => panic!("{operation}: {other:?}"),
        }
    }
    // The plugin sees it, and asks only what it can.
    let asked = questions(waist.call("test_input_required_result_capabilities", json!({}), with(sampling)).await);
    assert_eq!(asked.lacking(sampling), Abilities::NONE);
    assert_eq!(asked.questions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_listed_and_read() {
    let waist = waist().await;
    let request = || waist.request(Dialogue::default());
    assert_eq!(waist.plugin().offers(), Offers { resources: true, prompts: true, completions: true });
    let listed = list_resources(request()).await.expect("a list");
    let uris: Vec<&str> = listed.iter().map(|it| it.uri.as_str()).collect();
    assert_eq!(uris, ["test://static-text", "test://static-binary", "test://watched-resource"]);
    let templates = list_templates(request()).await.expect("a list");
    assert_eq!(templates[0].uri_template, "test://template/{id}/data");

    let read = async |uri: &str| read_resource(request(), uri.to_owned()).await.expect("an answer");
    let contents = async |uri: &str| match &read(uri).await.expect("a resource")[..] {
        [Resource { uri: of, contents, .. }] if of == uri => contents.clone(),
        other => panic!("not one resource of {uri}: {other:?}"),
    };
    let static_text = "This is the content of the static text resource.".to_owned();
    assert_eq!(contents("test://static-text").await, Contents::Text(static_text));
    let Contents::Binary(picture) = contents("test://static-binary").await else { panic!("no bytes") };
    assert!(picture.starts_with(b"\x89PNG"));
    let made = r#"{"data":"Data for ID: 123","id":"123","templateTest":true}"#.to_owned();
    assert_eq!(contents("test://template/123/data").await, Contents::Text(made));
    assert_eq!(read("test://nonexistent-resource-for-conformance-testing").await, None);
}

fn filled_in(name: &str, value: &str) -> FilledIn {
    FilledIn { name: name.to_owned(), value: value.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_listed_and_filled_in() {
    let waist = waist().await;
    let names: Vec<String> =
        list_prompts(waist.request(Dialogue::default())).await.expect("a list").into_iter().map(|it| it.name).collect();
    assert_eq!(
        names,
        [
            "test_simple_prompt",
            "test_prompt_with_arguments",
            "test_prompt_with_embedded_resource",
            "test_prompt_with_image",
            "test_input_required_result_prompt",
        ]
    );
    let get =
        async |name: &str, arguments, dialogue| get_prompt(waist.request(dialogue), name.to_owned(), arguments).await;
    let said = async |name: &str, arguments, dialogue| {
        let prompt = get(name, arguments, dialogue).await.expect("an answer").expect("a prompt");
        prompt.messages.into_iter().map(|message| message.content).collect::<Vec<_>>()
    };
    let nothing = Dialogue::default;
    assert_eq!(text(&said("test_simple_prompt", vec![], nothing()).await), "This is a simple prompt for testing.");
    let both = vec![filled_in("arg1", "hello"), filled_in("arg2", "world")];
    let expected = "Prompt with arguments: arg1='hello', arg2='world'";
    assert_eq!(text(&said("test_prompt_with_arguments", both, nothing()).await), expected);
    let [Content::Image(_), Content::Text(_)] = &said("test_prompt_with_image", vec![], nothing()).await[..] else {
        panic!("no image with a text")
    };
    let uri = || vec![filled_in("resourceUri", "test://example-resource")];
    let [Content::Resource(embedded), Content::Text(_)] =
        &said("test_prompt_with_embedded_resource", uri(), nothing()).await[..]
    else {
        panic!("no resource with a text")
    };
    assert_eq!(embedded.uri, "test://example-resource");

    let missing = get("test_prompt_with_arguments", vec![filled_in("arg1", "hello")], nothing()).await;
    assert_eq!(missing.expect_err("an argument is missing").to_string(), "invalid input: arg2: is required");
    assert_eq!(get("no_such_prompt", vec![], nothing()).await.expect("an answer"), None);
    // A URI that the provider makes of what it is given is checked like any other.
    let bad = get("test_prompt_with_embedded_resource", vec![filled_in("resourceUri", "no uri")], nothing()).await;
    assert!(matches!(bad, Err(Failure::BadReply { .. })), "{bad:?}");

    let asking = "test_input_required_result_prompt";
    let asked = questions(get(asking, vec![], able()).await);
    assert_eq!(asked.questions[0].key, "user_context");
    let context = answered(vec![accepted("user_context", json!({"context": "test context"}))], None);
    assert_eq!(text(&said(asking, vec![], context).await), "Use this context: test context");
    let cannot = get(asking, vec![], nothing()).await;
    assert!(matches!(cannot, Err(Failure::CannotAsk { .. })), "{cannot:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_suggested() {
    let waist = waist().await;
    let prompt = |parameter: &str| Subject::Prompt {
        name: "test_prompt_with_arguments".to_owned(),
        parameter: parameter.to_owned(),
    };
    let template = || Subject::ResourceTemplate {
        uri_template: "test://template/{id}/data".to_owned(),
        variable: "id".to_owned(),
    };
    let suggest = async |subject, typed: &str, others| {
        let suggested = complete(waist.request(Dialogue::default()), subject, typed.to_owned(), others).await;
        suggested.expect("suggestions")
    };
    assert_eq!(suggest(prompt("arg1"), "par", vec![]).await.values, ["paris", "park", "party"]);
    assert_eq!(suggest(prompt("arg1"), "test", vec![]).await.values, [""; 0]);
    assert_eq!(suggest(prompt("arg2"), "", vec![filled_in("arg1", "park")]).await.values, ["park again"]);
    let ids = suggest(template(), "", vec![]).await;
    assert_eq!((ids.values.len(), ids.total, ids.more), (100, Some(150), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_without_them_has_none_and_is_not_even_asked() {
    let described = Crafted::new(&[("only", r#"{"type": "object"}"#)]).component();
    // No call is admitted: whoever ran the plugin would be told that it is busy.
    let limits = Limits { concurrency: 0, queue: 0, ..Limits::default() };
    let waist = Waist::of(&described, limits).await;
    let request = || waist.request(Dialogue::default());
    assert_eq!(waist.plugin().offers(), Offers::default());
    assert_eq!(list_resources(request()).await.expect("a list"), []);
    assert_eq!(list_templates(request()).await.expect("a list"), []);
    assert_eq!(read_resource(request(), "test://static-text".to_owned()).await.expect("an answer"), None);
    assert_eq!(list_prompts(request()).await.expect("a list"), []);
    assert_eq!(get_prompt(request(), "a".to_owned(), vec![]).await.expect("an answer"), None);
    let subject = Subject::Prompt { name: "a".to_owned(), parameter: "b".to_owned() };
    let suggested = complete(request(), subject, String::new(), vec![]).await.expect("suggestions");
    assert_eq!(suggested.values, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_rest_nobody_hears_and_nobody_is_asked() {
    let host = host().await;
    let post = async |name: &str| host.rest().send("POST", &format!("/conformance/{name}"), None).await;
    let told = post("test_tool_with_progress").await;
    assert_eq!((told.status, told.text()), (200, "Progress was reported."));
    let link = post("test_resource_link").await;
    assert_eq!((link.header("content-type"), link.text()), ("text/uri-list", "test://static-text\r\n"));
    let problem = post("test_input_required_result_elicitation").await.problem(422, "input-required");
    assert_eq!(
        problem["detail"],
        "the operation asks something back, which can't be asked here: call it over MCP, by a client that declares elicitation"
    );
    let problem = post("test_error_handling").await.problem(400, "invalid-input");
    assert!(problem["detail"].as_str().expect("a text").contains("intentionally returns an error"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_stays_as_it_is() {
    let written: Value = serde_json::from_str(include_str!("../fixtures/conformance/schema/json_schema_2020_12.json"))
        .expect("a schema");
    let waist = waist().await;
    let operations = &waist.plugin().description().operations;
    let verbatim = operations.iter().find(|it| it.name == "json_schema_2020_12_tool").expect("the operation");
    assert_eq!(verbatim.input_schema.to_string(), written.to_string());
}
