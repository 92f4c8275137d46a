//! The join: a user, their policies and their groups become one access review. Pure.
//!
//! It doesn't decide whether a denial outweighs an allowance: the API does that, and says nowhere how.

use std::collections::{BTreeMap, BTreeSet};

use airlock_sdk::Failure;
use serde::Serialize;

use crate::api::{Group, Listing, OrgUser, Policy, Statement};

/// An access review, as `schema/output.json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    user: User,
    access_ends: Option<String>,
    groups: Vec<GroupMembership>,
    own_statements: Vec<Statement>,
    policies: Vec<AppliedPolicy>,
    access: Vec<Access>,
    complete: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    version: Option<u64>,
    name: Option<String>,
    email: Option<String>,
    support_user: Option<bool>,
}

#[derive(Debug, Serialize)]
struct GroupMembership {
    id: String,
    name: Option<String>,
    membership: Membership,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Membership {
    Direct,
    Inherited,
}

#[derive(Debug, Serialize)]
struct AppliedPolicy {
    id: String,
    name: Option<String>,
    managed: Option<bool>,
    statements: Vec<Statement>,
}

/// What all statements together say about one resource.
#[derive(Debug, Serialize)]
struct Access {
    resource: String,
    allowed: BTreeSet<String>,
    denied: BTreeSet<String>,
}

/// Joins what was read. `all_groups` has the inherited ones too, `direct_groups` doesn't.
///
/// # Errors
/// `unavailable` for a statement that neither allows nor denies: a review that left it out would be wrong without saying so.
pub fn join(
    user: OrgUser,
    policies: Listing<Policy>,
    all_groups: Listing<Group>,
    direct_groups: Listing<Group>,
) -> Result<Review, Failure> {
    let complete = policies.complete && all_groups.complete && direct_groups.complete;
    let groups = memberships(all_groups.items, direct_groups.items);
    let own_statements = user.permission_policy.unwrap_or_default();
    let policies: Vec<AppliedPolicy> = policies.items.into_iter().map(applied).collect();
    let of_policies = policies.iter().flat_map(|policy| &policy.statements);
    let access = access(own_statements.iter().chain(of_policies))?;
    Ok(Review {
        user: User {
            id: user.id,
            version: user.version,
            name: full_name(user.first_name, user.last_name),
            email: user.email,
            support_user: user.support_user,
        },
        access_ends: user.dt_end_access,
        groups,
        own_statements,
        policies,
        access,
        complete,
    })
}

fn full_name(first: Option<String>, last: Option<String>) -> Option<String> {
    let parts: Vec<String> = [first, last].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Direct memberships first, then the inherited ones, in the order of the API; each group once.
fn memberships(all: Vec<Group>, direct: Vec<Group>) -> Vec<GroupMembership> {
    let direct = direct.into_iter().map(|group| (group, Membership::Direct));
    let others = all.into_iter().map(|group| (group, Membership::Inherited));
    let mut seen = BTreeSet::new();
    direct
        .chain(others)
        .filter(|(group, _)| seen.insert(group.id.clone()))
        .map(|(group, membership)| GroupMembership { id: group.id, name: group.name, membership })
        .collect()
}

fn applied(policy: Policy) -> AppliedPolicy {
    AppliedPolicy {
        id: policy.id,
        name: policy.name,
        managed: policy.managed_policy,
        statements: policy.permission_policy.unwrap_or_default(),
    }
}

fn access<'a>(statements: impl Iterator<Item = &'a Statement>) -> Result<Vec<Access>, Failure> {
    let mut by_resource: BTreeMap<&str, Access> = BTreeMap::new();
    for statement in statements {
        let effect = Effect::of(statement)?;
        for resource in &statement.resource {
            let access = by_resource.entry(resource).or_insert_with(|| Access {
                resource: resource.clone(),
                allowed: BTreeSet::new(),
                denied: BTreeSet::new(),
            });
            let actions = match effect {
                Effect::Allow => &mut access.allowed,
                Effect::Deny => &mut access.denied,
            };
            actions.extend(statement.action.iter().map(|action| spell(action)));
        }
    }
    Ok(by_resource.into_values().collect())
}

#[derive(Clone, Copy)]
enum Effect {
    Allow,
    Deny,
}

impl Effect {
    fn of(statement: &Statement) -> Result<Self, Failure> {
        let effect = &statement.effect;
        if effect.eq_ignore_ascii_case("allow") {
            Ok(Self::Allow)
        } else if effect.eq_ignore_ascii_case("deny") {
            Ok(Self::Deny)
        } else {
            Err(Failure::Unavailable(format!("a permission statement neither allows nor denies: {effect:?}")))
        }
    }
}

/// One spelling for what the API's reference writes as `CONFIG_CREATE` and its text as `config:create`.
fn spell(action: &str) -> String {
    let action = action.to_ascii_lowercase();
    match action.contains(':') {
        true => action,
        false => action.replacen('_', ":", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Joins answers of the API; the lists are complete.
    fn review(user: Value, policies: Value, all: Value, direct: Value) -> Result<Value, Failure> {
        let user = serde_json::from_value(user).unwrap();
        let review = join(user, listing(policies), listing(all), listing(direct))?;
        Ok(serde_json::to_value(review).unwrap())
    }

    fn listing<T: serde::de::DeserializeOwned>(items: Value) -> Listing<T> {
        Listing { items: serde_json::from_value(items).unwrap(), complete: true }
    }

    fn allow(actions: &[&str], resources: &[&str]) -> Value {
        json!({ "effect": "allow", "action": actions, "resource": resources })
    }

    fn deny(actions: &[&str], resources: &[&str]) -> Value {
        json!({ "effect": "DENY", "action": actions, "resource": resources })
    }

    fn full() -> Value {
        let user = json!({
            "id": "u", "version": 3, "firstName": "Noor", "lastName": "Haddad", "email": "n@x.example", "supportUser": false,
            "dtEndAccess": "2027-01-31T00:00:00Z", "permissionPolicy": [deny(&["config:delete"], &["*"])], "contactNumber": "1",
        });
        let policies = json!([
            { "id": "p", "name": "Read Only", "managedPolicy": true, "permissionPolicy": [allow(&["config:retrieve"], &["*"])] },
        ]);
        let group = |id: &str| json!({ "id": id, "name": format!("Group {id}"), "version": 1 });
        let all = json!([group("outer"), group("inner")]);
        review(user, policies, all, json!([group("inner")])).unwrap()
    }

    #[test]
    fn a_review_has_everything_in_one_place() {
        assert_eq!(
            full(),
            json!({
                "user": { "id": "u", "version": 3, "name": "Noor Haddad", "email": "n@x.example", "supportUser": false },
                "accessEnds": "2027-01-31T00:00:00Z",
                "groups": [
                    { "id": "inner", "name": "Group inner", "membership": "direct" },
                    { "id": "outer", "name": "Group outer", "membership": "inherited" },
                ],
                "ownStatements": [deny(&["config:delete"], &["*"])],
                "policies": [
                    { "id": "p", "name": "Read Only", "managed": true, "statements": [allow(&["config:retrieve"], &["*"])] },
                ],
                "access": [{ "resource": "*", "allowed": ["config:retrieve"], "denied": ["config:delete"] }],
                "complete": true,
            })
        );
    }

    #[test]
    fn what_the_api_leaves_out_is_null_or_empty() {
        for user in [
            json!({ "id": "u" }),
            json!({ "id": "u", "firstName": null, "permissionPolicy": null, "dtEndAccess": null }),
        ] {
            let review = review(user, json!([{ "id": "p" }]), json!([]), json!([])).unwrap();
            assert_eq!(review["user"]["name"], Value::Null);
            assert_eq!(review["accessEnds"], Value::Null);
            assert_eq!(review["policies"][0]["statements"], json!([]));
            assert_eq!(review["access"], json!([]));
        }
    }

    #[test]
    fn reviews_conform_to_the_schema() {
        let schema = serde_json::from_str(include_str!("../schema/output.json")).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let sparse = review(json!({ "id": "u" }), json!([{ "id": "p" }]), json!([]), json!([]));
        for review in [full(), sparse.unwrap()] {
            let errors: Vec<String> = validator.iter_errors(&review).map(|e| e.to_string()).collect();
            assert_eq!(errors, [""; 0], "{review}");
        }
    }

    #[test]
    fn statements_add_up_per_resource() {
        for (statements, expected) in [
            (json!([]), json!([])),
            (
                json!([allow(&["b:x", "a:x", "b:x"], &["r2", "r1"]), allow(&["a:x"], &["r1"])]),
                json!([
                    { "resource": "r1", "allowed": ["a:x", "b:x"], "denied": [] },
                    { "resource": "r2", "allowed": ["a:x", "b:x"], "denied": [] },
                ]),
            ),
            (
                json!([allow(&["all"], &["*"]), deny(&["CONFIG_DELETE", "config:delete"], &["*"])]),
                json!([{ "resource": "*", "allowed": ["all"], "denied": ["config:delete"] }]),
            ),
            (
                json!([allow(&["ALL"], &["*"]), deny(&["all"], &["*"])]),
                json!([{ "resource": "*", "allowed": ["all"], "denied": ["all"] }]),
            ),
            (json!([allow(&["a:x"], &[])]), json!([])),
        ] {
            let policies = json!([{ "id": "p", "permissionPolicy": statements }]);
            let of_policy = review(json!({ "id": "u" }), policies, json!([]), json!([])).unwrap();
            assert_eq!(of_policy["access"], expected, "{statements}");
            let user = json!({ "id": "u", "permissionPolicy": statements });
            let of_user = review(user, json!([]), json!([]), json!([])).unwrap();
            assert_eq!(of_user["access"], expected, "{statements}");
        }
    }

    #[test]
    fn a_statement_of_an_unknown_effect_is_not_passed_over() {
        let statement = json!({ "effect": "audit", "action": ["all"], "resource": ["*"] });
        let user = json!({ "id": "u", "permissionPolicy": [statement] });
        let Err(Failure::Unavailable(message)) = review(user, json!([]), json!([]), json!([])) else {
            panic!("it was passed over");
        };
        assert!(message.contains("\"audit\""), "{message}");
    }

    #[test]
    fn a_direct_group_that_the_other_list_misses_is_kept() {
        let group = json!([{ "id": "g" }]);
        let review = review(json!({ "id": "u" }), json!([]), json!([]), group).unwrap();
        assert_eq!(review["groups"], json!([{ "id": "g", "name": null, "membership": "direct" }]));
    }

    #[test]
    fn one_list_that_was_cut_makes_the_review_incomplete() {
        for cut in 0..4 {
            let listing = |number| Listing { complete: number != cut, ..listing::<Group>(json!([])) };
            let policies = Listing { complete: cut != 0, items: Vec::new() };
            let user = serde_json::from_value(json!({ "id": "u" })).unwrap();
            let review = join(user, policies, listing(1), listing(2)).unwrap();
            assert_eq!(review.complete, cut == 3, "list {cut} was cut");
        }
    }

    #[test]
    fn actions_have_one_spelling() {
        for (written, expected) in [
            ("ALL", "all"),
            ("CONFIG_CREATE", "config:create"),
            ("config:create", "config:create"),
            ("Config:Bulk_Create", "config:bulk_create"),
            ("MEASUREMENTS_FILEUPLOAD", "measurements:fileupload"),
        ] {
            assert_eq!(spell(written), expected);
        }
    }
}
