//! The format of event files: messages of protocol buffers, each in a record with checksums.
//!
//! The messages are the part of TensorFlow's `event.proto` and `summary.proto` that is used here, with its field
//! numbers. A record is that of `TFRecord`: length, masked checksum of the length, message, masked checksum of the
//! message, all numbers little-endian.

use crc::{CRC_32_ISCSI, Crc};
use prost::Message;

/// One record of an event file; of the last three, one is there.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub(super) wall_time: f64,
    #[prost(int64, tag = "2")]
    pub(super) step: i64,
    /// Stands in the first event of a file.
    #[prost(string, optional, tag = "3")]
    pub(super) file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    pub(super) summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    pub(super) session_log: Option<SessionLog>,
}

/// Points of curves, at the step of their event.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    /// Written where it is zero, too: it is one of several kinds of values, of which one is there.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// That a session starts: what earlier ones said of its step and later ones does not hold.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

impl SessionLog {
    pub(super) fn start() -> Self {
        Self { status: 1 }
    }
}

impl Summary {
    pub(super) fn add(&mut self, tag: &str, value: f64) {
        self.value.push(Value {
            tag: tag.to_owned(),
            simple_value: Some(value as f32),
        });
    }

    /// Tags below a common one.
    pub(super) fn extend(&mut self, above: &str, pairs: &[(String, f64)]) {
        for (name, value) in pairs {
            self.add(&format!("{above}/{name}"), *value);
        }
    }
}

/// The whole record of an event, so that one call writes it.
pub(super) fn record(event: &Event) -> Vec<u8> {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(message.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(&message);
    record.extend(masked(&message).to_le_bytes());
    record
}

/// CRC-32C, rotated by 15 bits and shifted by a constant: a checksum of data that hold checksums would be a poor one.
fn masked(bytes: &[u8]) -> u32 {
    static CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    CASTAGNOLI
        .checksum(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    impl Summary {
        pub(in super::super) fn points(&self) -> impl Iterator<Item = (&str, f32)> {
            self.value
                .iter()
                .map(|value| (value.tag.as_str(), value.simple_value.unwrap()))
        }
    }

    /// CRC-32C bit by bit, as the division it is.
    fn crc32c(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 {
                    (crc >> 1) ^ 0x82f6_3b78
                } else {
                    crc >> 1
                };
            }
        }
        !crc
    }

    fn unmasked(bytes: &[u8]) -> u32 {
        let masked = u32::from_le_bytes(bytes.try_into().unwrap());
        masked.wrapping_sub(0xa282_ead8).rotate_left(15)
    }

    /// The messages of a file that is whole.
    fn messages(mut file: &[u8]) -> Vec<&[u8]> {
        let mut messages = Vec::new();
        while !file.is_empty() {
            let (head, rest) = file.split_at(12);
            assert_eq!(unmasked(&head[8..]), crc32c(&head[..8]));
            let length = u64::from_le_bytes(head[..8].try_into().unwrap());
            let (message, rest) = rest.split_at(usize::try_from(length).unwrap());
            let (checksum, rest) = rest.split_at(4);
            assert_eq!(unmasked(checksum), crc32c(message));
            messages.push(message);
            file = rest;
        }
        messages
    }

    /// The events of a file that is whole.
    pub(in super::super) fn events(file: &[u8]) -> Vec<Event> {
        messages(file)
            .into_iter()
            .map(|message| Event::decode(message).unwrap())
            .collect()
    }

    #[test]
    fn the_bitwise_checksum_agrees_with_the_vectors_of_the_standard() {
        // RFC 3720, B.4, and the check value of the catalogue.
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        let known = [
            (&b"123456789"[..], 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
            (&falling, 0x113f_db5c),
        ];
        for (bytes, crc) in known {
            assert_eq!(crc32c(bytes), crc);
            assert_eq!(unmasked(&masked(bytes).to_le_bytes()), crc);
        }
    }

    #[test]
    fn an_event_has_the_bytes_of_the_format() {
        let mut summary = Summary::default();
        summary.extend("loss", &[("a".to_owned(), 0.0)]);
        summary.add("b", 1.5);
        let event = Event {
            wall_time: 2.0,
            step: 300,
            summary: Some(summary),
            ..Event::default()
        };
        let by_hand: Vec<u8> = [
            &[0x09, 0, 0, 0, 0, 0, 0, 0, 0x40][..], // 1: a double
            &[0x10, 0xac, 0x02],                    // 2: 300 in seven bits a byte
            &[0x2a, 25],                            // 5: a message of 25 bytes
            &[0x0a, 13, 0x0a, 6],                   // 1: a value; 1: its tag
            b"loss/a",
            &[0x15, 0, 0, 0, 0], // 2: a float, written though it is zero
            &[0x0a, 8, 0x0a, 1], // 1: another value
            b"b",
            &[0x15, 0, 0, 0xc0, 0x3f],
        ]
        .concat();
        let record = record(&event);
        assert_eq!(messages(&record), [by_hand]);
        assert_eq!(events(&record), [event]);
        let start = Event {
            step: 1,
            session_log: Some(SessionLog::start()),
            ..Event::default()
        };
        assert_eq!(start.encode_to_vec(), [0x10, 1, 0x3a, 2, 0x08, 1]);
        let version = Event {
            file_version: Some("v".to_owned()),
            ..Event::default()
        };
        assert_eq!(version.encode_to_vec(), [0x1a, 1, b'v']);
    }
}
