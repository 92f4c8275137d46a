//! Bodies that are forms.

use super::*;

fn body(content: Value, required: bool) -> Value {
    json!({"operationId": "send", "requestBody": {"required": required, "content": content}})
}

fn form(schema: Value) -> Value {
    json!({"application/x-www-form-urlencoded": {"schema": schema}})
}

fn imported(operation: Value) -> (Value, Vec<String>) {
    import(&with_operation("/x/{id}", "post", operation), &Options::default())
}

#[test]
fn the_fields_of_a_form_are_inputs() {
    let schema = json!({
        "type": "object",
        "required": ["name", "id"],
        "properties": {
            "name": {"type": "string", "maxLength": 9, "description": "Its name."},
            "id": {"type": "integer"},
            "made": {"type": "string", "readOnly": true},
            "tags": {"type": "array", "items": {"type": "string"}},
            "filter[kind]": {"type": "string", "enum": ["a", "b"]},
        },
        "allOf": [{"properties": {"note": {"type": "string"}}, "required": ["note"]}],
    });
    let (document, notes) = imported(body(form(schema), true));
    let first = first(&document);
    assert_eq!(
        first["body"],
        json!({"type": "formUrlEncoded", "data": {
            "name": "{{name}}", "id": "{{id-2}}", "tags": "{{tags}}", "filter[kind]": "{{filter_kind}}", "note": "{{note}}",
        }})
    );
    let inputs = first["inputParameters"].as_array().unwrap();
    let short: Vec<String> = inputs
        .iter()
        .map(|it| {
            format!(
                "{} {} {} {}",
                it["name"].as_str().unwrap(),
                it["in"].as_str().unwrap(),
                it["type"].as_str().unwrap(),
                it["required"]
            )
        })
        .collect();
    assert_eq!(
        short,
        [
            "id path string true",
            "name body string true",
            "id-2 body integer true",
            "tags body array null",
            "filter_kind body string null",
            "note body string true",
        ]
    );
    assert_eq!((&inputs[1]["maxLength"], &inputs[1]["description"]), (&json!(9), &json!("Its name.")));
    assert_eq!(notes, ["paths./x/{id}.post: no parameter declares the path's variable id: taken as text"]);
}

#[test]
fn files_are_parts_with_text_in_them() {
    let media = json!({
        "schema": {"type": "object", "required": ["file"], "properties": {
            "file": {"type": "string", "format": "binary"},
            "about": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            "table": {"type": "string", "format": "binary"},
        }},
        "encoding": {"table": {"contentType": "text/csv"}, "about": {"contentType": "a/b, c/d"}},
    });
    let (document, notes) = imported(body(json!({"multipart/form-data": media, "application/xml": {}}), true));
    assert_eq!(
        first(&document)["body"],
        json!({"type": "multipartForm", "data": [
            {"name": "file", "value": "{{file}}", "filename": "file", "contentType": "application/octet-stream"},
            {"name": "about", "value": "{{about}}", "contentType": "application/json"},
            {"name": "table", "value": "{{table}}", "filename": "table", "contentType": "text/csv"},
        ]})
    );
    let place = "paths./x/{id}.post.requestBody.content.multipart/form-data.schema.properties";
    for said in [
        format!("{place}.file: a file: what is given for it is sent as text"),
        format!("{place}.table: a file: what is given for it is sent as text"),
        "paths./x/{id}.post.requestBody.content: left out: a body of type application/xml, beside the one that is a form".to_owned(),
    ] {
        assert!(notes.contains(&said), "{said}\n{notes:#?}");
    }
}

#[test]
fn what_a_form_cannot_hold_is_told() {
    let object = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let list = json!({"type": "array", "items": {"type": "string"}});
    let fields = |property: &Value, required: &[&str]| json!({"properties": {"b": {"type": "string"}, "p": property}, "required": required});
    let multipart = |schema: Value| json!({"multipart/form-data": {"schema": schema}});
    for (content, said) in [
        (form(fields(&object, &[])), "an object can't be written in a field of a form"),
        (multipart(fields(&list, &[])), "a list can't be written as several parts"),
        (
            json!({"application/x-www-form-urlencoded": {"schema": fields(&list, &[]), "encoding": {"p": {"style": "spaceDelimited"}}}}),
            "no field of a form is written in the style spaceDelimited without explode",
        ),
    ] {
        let (document, notes) = imported(body(content, true));
        let body = first(&document)["body"]["data"].to_string();
        assert!(body.contains("{{b}}") && !body.contains("{{p}}"), "{body}");
        assert!(notes.iter().any(|note| note.ends_with(&format!(".properties.p: left out: {said}"))), "{notes:?}");
    }
    let needed = with_operation("/x", "post", body(form(fields(&object, &["p"])), true));
    let alone = openapi(&needed.to_string(), &Options::default()).unwrap_err().to_string();
    assert!(alone.contains("left out: it needs the form's field \"p\", and an object can't be written"), "{alone}");
    for (content, said) in [
        (form(json!({"additionalProperties": true})), "left out: it needs a form, of which no field is known"),
        (form(json!({"$ref": "x.yaml"})), "left out: its form: reference leads out of the description"),
    ] {
        let described = with_operation("/x", "post", body(content.clone(), true));
        let alone = openapi(&described.to_string(), &Options::default()).unwrap_err().to_string();
        assert!(alone.contains(said), "{alone}");
        // Nobody has to send it.
        let (document, notes) = imported(body(content, false));
        assert_eq!(first(&document).get("body"), None);
        assert!(notes.iter().any(|note| note.contains("body left out: ")), "{notes:?}");
    }
}

#[test]
fn swagger_has_its_forms_among_the_parameters() {
    let swagger = |consumes: &str, kind: &str| {
        json!({
            "swagger": "2.0", "info": {"title": "T"}, "host": "t.example", "schemes": ["https"],
            "paths": {"/x": {"post": {"consumes": [consumes], "parameters": [
                {"name": "a", "in": "formData", "required": true, "type": "integer", "minimum": 1},
                {"name": "b", "in": "formData", "type": kind},
            ]}}},
        })
    };
    for (consumes, kind, expected) in [
        ("application/x-www-form-urlencoded", "string", "formUrlEncoded"),
        ("multipart/form-data", "string", "multipartForm"),
        ("application/json", "string", "formUrlEncoded"),
        ("application/x-www-form-urlencoded", "file", "multipartForm"),
    ] {
        let (document, _) = import(&swagger(consumes, kind), &Options::default());
        assert_eq!(first(&document)["body"]["type"], expected, "{consumes} {kind}");
        let inputs = &first(&document)["inputParameters"];
        assert_eq!((&inputs[0]["required"], &inputs[0]["minimum"]), (&json!(true), &json!(1)));
        assert_eq!(inputs[1]["type"], "string");
    }
}
