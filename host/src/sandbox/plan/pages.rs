//! The pages of a plan.

use super::{flow::extent, raw_format, request, shape, wit_plan};
use crate::document::plan;

pub(super) fn pages(it: &plan::Pages) -> wit_plan::Pages {
    wit_plan::Pages {
        request: request(&it.request),
        format: raw_format(&it.format),
        items: it.items.clone(),
        items_lead_to: extent(&it.items),
        order: order(&it.order),
        most: it.bound.most,
        beyond: match it.bound.beyond {
            plan::Beyond::Fail => wit_plan::Beyond::Fail,
            plan::Beyond::Cut => wit_plan::Beyond::Cut,
        },
        shape: shape(&it.shape),
    }
}

fn order(it: &plan::PageOrder) -> wit_plan::PageOrder {
    match it {
        plan::PageOrder::Token(parameter, next) => wit_plan::PageOrder::Token(wit_plan::TokenOrder {
            parameter: parameter.clone(),
            next: match next {
                plan::NextToken::Path(path) => wit_plan::NextToken::Path(path.clone()),
                plan::NextToken::Header(name) => wit_plan::NextToken::Header(name.clone()),
            },
        }),
        plan::PageOrder::Counted(it) => wit_plan::PageOrder::Counted(wit_plan::CountedOrder {
            parameter: it.parameter.clone(),
            start: it.start,
            by: match it.by {
                plan::CountedBy::Pages => wit_plan::Counted::Pages,
                plan::CountedBy::Items => wit_plan::Counted::Items,
            },
            size: it.size,
            total: it.total.clone(),
        }),
        plan::PageOrder::Link(path) => wit_plan::PageOrder::Link(path.clone()),
    }
}
