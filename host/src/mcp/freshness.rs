//! How long a client may keep what it was listed or has read: as long as the documents say of whose plugins it is made.
//!
//! What comes of several plugins is as fresh as the one that changes soonest. A plugin that says nothing has to be asked each time.

use std::sync::Arc;

use rmcp::model::CacheScope;

use super::{Era, converse::Client};
use crate::{component::Plugin, contract::Freshness};

/// What a result says of it: time and scope. `None` for clients of versions that don't know it.
pub(super) type Said = (Option<u64>, Option<CacheScope>);

/// What is said of a result that is made of these plugins. For known callers each list is their own.
pub(super) fn of<'p>(plugins: impl IntoIterator<Item = &'p Arc<Plugin>>, client: &Client<'_>) -> Said {
    if client.era == Era::Legacy {
        return (None, None);
    }
    let each = plugins.into_iter().map(|plugin| plugin.facts().map(|facts| facts.freshness).unwrap_or_default());
    let all = each.reduce(Freshness::and).unwrap_or_default();
    let scope = match all.public && !client.caller.identity.is_known() {
        true => CacheScope::Public,
        false => CacheScope::Private,
    };
    (Some(all.ttl_ms), Some(scope))
}
