//! How large each schema may be, so that the whole fits into one document: small ones stay whole, the largest are cut first.

use serde_json::{Map, Value};

use super::{
    notes::Notes,
    operation::Api,
    place::Place,
    schema::{Direction, Renderer},
    source::Source,
};

/// What one schema may take, in bytes: some 600 keywords. The whole lies in each listing of tools that an agent reads.
const MAX_SCHEMA: usize = 24 << 10;
/// What all schemas may take together. A document may have 4 MiB and 250 000 values, of which these take two thirds.
const MAX_SCHEMAS: usize = 2 << 20;

/// A schema that is to be written out.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// As it stands in the description.
    pub schema: Value,
    /// Where it stands.
    place: String,
    direction: Direction,
    /// Written out, once [`schemas`] has seen to it.
    pub rendered: Map<String, Value>,
}

impl Wanted {
    /// A schema of a description.
    pub fn new(schema: Value, place: impl Into<String>, direction: Direction) -> Self {
        Self { schema, place: place.into(), direction, rendered: Map::new() }
    }

    /// Writes it out, and gives what it takes.
    fn render(&mut self, renderer: &Renderer<'_>, room: usize, notes: &mut Notes) -> usize {
        let place = Place::whole(self.place.clone());
        let rendered = renderer.render(&self.schema, &place, self.direction, room, notes);
        self.rendered = rendered.schema;
        rendered.cost
    }
}

/// Writes out all schemas.
pub fn schemas(source: &Source, apis: &mut [Api], notes: &mut Notes) {
    let renderer = Renderer::new(source.refs(), source.version);
    // Of many, none gets much more than its share in the end.
    let at_most = MAX_SCHEMA.min(8 * MAX_SCHEMAS / all(apis).count().max(1));
    let mut costs: Vec<usize> = all(apis)
        .map(|wanted| {
            let cost = wanted.render(&renderer, at_most, &mut Notes::default());
            // Those that are cut in the end need never have been there at the same time.
            wanted.rendered = Map::new();
            cost
        })
        .collect();
    let room = room_for_each(&mut costs, MAX_SCHEMAS).min(at_most);
    for wanted in all(apis) {
        wanted.render(&renderer, room, notes);
    }
}

fn all(apis: &mut [Api]) -> impl Iterator<Item = &mut Wanted> {
    let operations = apis.iter_mut().flat_map(|api| &mut api.operations);
    operations.flat_map(|it| it.parameters.iter_mut().map(|parameter| &mut parameter.schema).chain(&mut it.output))
}

/// The most that one may take, so that all together take no more than `total`.
fn room_for_each(costs: &mut [usize], total: usize) -> usize {
    costs.sort_unstable();
    let mut left = total;
    for (index, cost) in costs.iter().enumerate() {
        let share = left / (costs.len() - index);
        if *cost > share {
            return share;
        }
        left -= cost;
    }
    MAX_SCHEMA
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_cut_first() {
        for (mut costs, total, expected) in [
            (vec![], 100, MAX_SCHEMA),
            (vec![10, 20, 30], 100, MAX_SCHEMA),
            (vec![10, 500, 20], 100, 70),
            (vec![90, 10, 90], 100, 45),
            (vec![50, 50, 50], 100, 33),
        ] {
            assert_eq!(room_for_each(&mut costs, total), expected, "{costs:?}");
        }
    }
}
