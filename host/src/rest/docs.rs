//! The page at `/docs`: Swagger UI over `/openapi.json`. All of it is in the binary, and it asks no other server for anything.

use std::{
    io::Read,
    sync::{LazyLock, OnceLock},
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, header};

use super::{documents::Document, media, own::Page};

/// What the page may load: the scripts and styles of this host, and what it says about itself. No frame, no form, no other server. Styles
/// may stand in elements: the viewer writes them there.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
struct File {
    path: &'static str,
    media_type: &'static str,
    /// As it is in the binary: what is large is compressed.
    document: Document,
    is_compressed: bool,
    /// The other form of what is compressed, once somebody has asked for it.
    unpacked: OnceLock<Document>,
}

static FILES: LazyLock<[File; 4]> = LazyLock::new(|| {
    let plain = |path, media_type, contents: &'static [u8]| File {
        path,
        media_type,
        document: Document::new(contents),
        is_compressed: false,
        unpacked: OnceLock::new(),
    };
    let compressed = |path, media_type, contents| File { is_compressed: true, ..plain(path, media_type, contents) };
    [
        plain("/docs", "text/html; charset=utf-8", include_bytes!("../../assets/swagger-ui/page.html")),
        plain("/docs/start.js", JAVASCRIPT, include_bytes!("../../assets/swagger-ui/start.js")),
        compressed(
            "/docs/swagger-ui-bundle.js",
            JAVASCRIPT,
            include_bytes!("../../assets/swagger-ui/swagger-ui-bundle.js.gz"),
        ),
        compressed(
            "/docs/swagger-ui.css",
            "text/css; charset=utf-8",
            include_bytes!("../../assets/swagger-ui/swagger-ui.css.gz"),
        ),
    ]
});

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The file at this path, in a form that the caller can read.
pub(super) fn find(path: &str, headers: &HeaderMap) -> Option<Page> {
    let file = FILES.iter().find(|it| it.path == path)?;
    let page = |document| Page::new(file.media_type, document).with(header::CONTENT_SECURITY_POLICY, POLICY);
    Some(match file.is_compressed {
        false => page(file.document.clone()),
        true if media::names_encoding(headers, &["gzip"]) => {
            page(file.document.clone()).with(header::CONTENT_ENCODING, "gzip").with(header::VARY, "accept-encoding")
        }
        true => {
            page(file.unpacked.get_or_init(|| unpacked(&file.document)).clone()).with(header::VARY, "accept-encoding")
        }
    })
}

/// For the few that read no gzip. Another form has another tag.
fn unpacked(document: &Document) -> Document {
    let mut bytes = Vec::new();
    GzDecoder::new(document.bytes.as_ref()).read_to_end(&mut bytes).expect("it was packed when this was built");
    Document::new(Bytes::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_page_asks_for_nothing_that_is_not_here() {
        let page = find("/docs", &HeaderMap::new()).unwrap();
        let html = std::str::from_utf8(&page.document.bytes).unwrap();
        assert!(!html.contains("://") && !html.contains("<script>"), "{html}");
        let own = html.split('"').filter(|it| it.starts_with("/docs"));
        assert_eq!(own.filter(|it| find(it, &HeaderMap::new()).is_some()).count(), 3, "{html}");
    }

    #[test]
    fn a_file_comes_packed_to_who_takes_it() {
        for (accept, packed) in
            [("gzip", true), ("br, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false), ("", false)]
        {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accept))]);
            let page = find("/docs/swagger-ui.css", &headers).unwrap();
            assert_eq!(page.document.bytes.starts_with(&[0x1f, 0x8b]), packed, "{accept}");
            assert_eq!(page.document.bytes.windows(11).any(|it| it == b".swagger-ui"), !packed, "{accept}");
        }
    }
}
