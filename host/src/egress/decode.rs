//! Decompresses an answer that comes compressed though `identity` was asked for: secrets can't be found in it otherwise, nor its
//! size be seen.
//!
//! `gzip` and `deflate` only: what servers send unasked. The result isn't limited here, it comes in pieces that a reader can count.

use std::io::{self, Write};

use bytes::{Buf, Bytes};
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

use super::headers;

/// How much is decompressed at a time. 4 KB: a zip bomb makes 4 MB of them at most (deflate expands to 1 032 times the size), and
/// then its reader has counted.
const PIECE: usize = 4 << 10;

/// Decompresses one body.
pub(super) struct Decoder {
    codec: Codec,
    /// What hasn't been looked at yet.
    pending: Bytes,
    is_untouched: bool,
}

enum Codec {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

/// The compressed text is broken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

impl Decoder {
    /// For the encoding that an answer states; `None` where it is none of these, or more than one.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let encoding = headers::single(headers, &header::CONTENT_ENCODING)?;
        let codec = match encoding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Codec::Gzip(MultiGzDecoder::new(Vec::new())),
            "deflate" => Codec::Deflate(ZlibDecoder::new(Vec::new())),
            _ => return None,
        };
        Some(Self { codec, pending: Bytes::new(), is_untouched: true })
    }

    /// Takes the next chunk. The one before has been decompressed to its end.
    pub(super) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.pending.is_empty());
        self.is_untouched &= chunk.is_empty();
        self.pending = chunk;
    }

    /// Decompresses the next piece; `None` when all that was pushed has been.
    pub(super) fn pull(&mut self) -> Option<Result<Bytes, Corrupt>> {
        if self.pending.is_empty() {
            return None;
        }
        let piece = &self.pending[..self.pending.len().min(PIECE)];
        let taken = self.codec.write(piece).map_err(|_| Corrupt);
        Some(taken.map(|(taken, data)| {
            self.pending.advance(taken);
            data
        }))
    }

    /// The end of the body: gives the rest, or says that the compressed text has no end. Nothing at all is an empty body.
    pub(super) fn finish(self) -> Result<Bytes, Corrupt> {
        if self.is_untouched {
            return Ok(Bytes::new());
        }
        match self.codec {
            Codec::Gzip(decoder) => decoder.finish(),
            Codec::Deflate(decoder) => decoder.finish(),
        }
        .map(Bytes::from)
        .map_err(|_| Corrupt)
    }
}

impl Codec {
    /// How much of the piece was taken, and what came out.
    fn write(&mut self, piece: &[u8]) -> io::Result<(usize, Bytes)> {
        fn through<D: Write>(decoder: &mut D, piece: &[u8]) -> io::Result<usize> {
            let taken = decoder.write(piece)?;
            // Events of a stream aren't kept until the next one comes.
            decoder.flush()?;
            // What comes behind the end isn't part of the answer that was announced.
            if taken == 0 { Err(io::ErrorKind::InvalidData.into()) } else { Ok(taken) }
        }
        let (taken, data) = match self {
            Self::Gzip(decoder) => (through(decoder, piece)?, std::mem::take(decoder.get_mut())),
            Self::Deflate(decoder) => (through(decoder, piece)?, std::mem::take(decoder.get_mut())),
        };
        Ok((taken, data.into()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use http::HeaderValue;

    use super::*;

    pub(in crate::egress) fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn decoder(encoding: &'static str) -> Option<Decoder> {
        Decoder::of(&HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(encoding))]))
    }

    /// The whole text, and the largest piece of it.
    fn decode(encoding: &'static str, body: &[u8], chunk: usize) -> Result<(Vec<u8>, usize), Corrupt> {
        let mut decoder = decoder(encoding).unwrap();
        let (mut text, mut largest) = (Vec::new(), 0);
        for chunk in body.chunks(chunk) {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(data) = decoder.pull() {
                let data = data?;
                largest = largest.max(data.len());
                text.extend_from_slice(&data);
            }
        }
        text.extend_from_slice(&decoder.finish()?);
        Ok((text, largest))
    }

    #[test]
    fn each_encoding_in_chunks_of_each_size() {
        let text = b"one two three ".repeat(1000);
        let twice = [gzip(&text[..700]), gzip(&text[700..])].concat();
        for (encoding, body) in
            [("gzip", gzip(&text)), ("X-GZIP", gzip(&text)), (" gzip ", twice), ("deflate", zlib(&text))]
        {
            for chunk in [1, 2, 7, 100, 1 << 20] {
                assert_eq!(decode(encoding, &body, chunk).unwrap().0, text, "{encoding} by {chunk}");
            }
        }
        assert_eq!(decode("gzip", b"", 1).unwrap().0, b"");
        assert_eq!(decode("gzip", &gzip(b""), 1).unwrap().0, b"");
    }

    #[test]
    fn what_is_broken() {
        let whole = gzip(b"hello hello hello");
        let mut wrong_sum = whole.clone();
        *wrong_sum.iter_mut().nth_back(6).unwrap() ^= 1;
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
        raw.write_all(b"hello").unwrap();
        for (encoding, body) in [
            ("gzip", b"plain text, no gzip".to_vec()),
            ("gzip", whole[..whole.len() - 1].to_vec()),
            ("gzip", whole[..5].to_vec()),
            ("gzip", [whole.clone(), b"and more".to_vec()].concat()),
            ("gzip", wrong_sum),
            ("deflate", [zlib(b"hello"), b"and more".to_vec()].concat()),
            ("deflate", zlib(b"hello")[..6].to_vec()),
            ("deflate", raw.finish().unwrap()),
        ] {
            for chunk in [1, 1 << 20] {
                assert_eq!(decode(encoding, &body, chunk), Err(Corrupt), "{encoding} {body:?}");
            }
        }
    }

    #[test]
    fn a_bomb_comes_in_pieces() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 70 << 10, "{}", bomb.len());
        let (text, largest) = decode("gzip", &bomb, 1 << 20).unwrap();
        assert_eq!(text.len(), 64 << 20);
        assert!(largest <= 5 << 20, "{largest}");
    }

    #[test]
    fn what_is_not_decoded() {
        for encoding in ["br", "zstd", "identity", "gzip, gzip", "gzip, br", ""] {
            assert!(decoder(encoding).is_none(), "{encoding}");
        }
        let mut twice = HeaderMap::new();
        twice.append(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        twice.append(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(Decoder::of(&twice).is_none());
        assert!(Decoder::of(&HeaderMap::new()).is_none());
    }
}
