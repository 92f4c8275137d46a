//! What MCP reads by itself: the cursor of a list. JSON-RPC is read by `rmcp`, arguments by `serde_json`.

#[path = "../../../host/src/mcp/page.rs"]
mod page;

/// A cursor is refused, or leads to a place in the list.
pub fn check_cursor(cursor: &str) {
    let names = ["a", "b", "c/d"].map(str::to_owned);
    if let Ok(page) = page::page(&names, String::as_str, Some(cursor)) {
        assert!(page.items.len() < names.len() && page.next.is_none(), "{cursor:?}");
    }
}
