//! One vector, as numbers or packed.

use super::Dtype;
use crate::chat::{Raw, Text};
use crate::dialect::codec::Garbled;
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// As the provider wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vector<'a> {
    /// A JSON list of numbers.
    Numbers(Raw<'a>),
    /// Base64 of the numbers' bytes: floats little-endian, four bytes each; the others one byte each.
    Base64(Text<'a>),
}

impl<'a> Vector<'a> {
    /// A list of numbers, or a string. None for anything else.
    pub(super) fn read(node: &Node<'a>) -> Option<Self> {
        if let Some(text) = node.text() {
            return Some(Vector::Base64(text));
        }
        let is_vector = !node.items().is_empty() && node.items().iter().all(Node::is_number);
        is_vector.then(|| Vector::Numbers(Raw::of(node)))
    }

    /// All of a list.
    pub(super) fn read_all(list: &Node<'a>) -> Option<Vec<Self>> {
        list.items().iter().map(Self::read).collect()
    }

    /// Writes it as a list of numbers: the digits it came with, or the shortest that mean the same.
    pub(super) fn write_numbers(&self, dtype: Dtype, w: &mut JsonWriter<'_>) -> Result<(), Garbled> {
        match self {
            Vector::Numbers(list) => w.raw(list.as_str()),
            Vector::Base64(data) => {
                let numbers = unpack(data, dtype)?;
                w.array(|w| numbers.iter().for_each(|number| w.raw(number)));
            }
        }
        Ok(())
    }

    /// Writes it as base64.
    pub(super) fn write_base64(&self, dtype: Dtype, w: &mut JsonWriter<'_>) -> Result<(), Garbled> {
        match self {
            Vector::Base64(data) => w.string(data),
            Vector::Numbers(list) => w.string(&pack(list.as_str(), dtype)?),
        }
        Ok(())
    }

    pub(super) fn write(&self, dtype: Dtype, is_base64: bool, w: &mut JsonWriter<'_>) -> Result<(), Garbled> {
        if is_base64 { self.write_base64(dtype, w) } else { self.write_numbers(dtype, w) }
    }
}

/// Writes all of a list; the first that is no vector is the error.
pub(super) fn write_all(
    vectors: &[Vector<'_>],
    dtype: Dtype,
    is_base64: bool,
    w: &mut JsonWriter<'_>,
) -> Result<(), Garbled> {
    let mut result = Ok(());
    w.array(|w| result = vectors.iter().try_for_each(|vector| vector.write(dtype, is_base64, w)));
    result
}

fn garbled(words: &str) -> Garbled {
    Garbled(format!("no embeddings: {words}"))
}

fn unpack(data: &str, dtype: Dtype) -> Result<Vec<String>, Garbled> {
    let bytes = STANDARD.decode(data).map_err(|_| garbled("a vector is no base64"))?;
    match dtype {
        Dtype::Float => {
            let (words, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(garbled("a packed vector is no whole number of floats"));
            }
            words.iter().map(|word| float(f32::from_le_bytes(*word))).collect()
        }
        Dtype::Int8 | Dtype::Binary => Ok(bytes.iter().map(|byte| byte.cast_signed().to_string()).collect()),
        Dtype::Uint8 | Dtype::Ubinary => Ok(bytes.iter().map(u8::to_string).collect()),
    }
}

/// The shortest digits that are read as the same number.
fn float(number: f32) -> Result<String, Garbled> {
    if number.is_finite() {
        Ok(format!("{number:?}"))
    } else {
        Err(garbled("a vector holds no finite number"))
    }
}

fn pack(list: &str, dtype: Dtype) -> Result<String, Garbled> {
    let root = parse(list, Duplicates::LastCounts).map_err(|_| garbled("a vector is no list"))?;
    let mut bytes = Vec::with_capacity(root.items().len() * 4);
    for number in root.items() {
        match dtype {
            Dtype::Float => {
                let number: f32 = number.raw().parse().map_err(|_| garbled("a vector holds no numbers"))?;
                if !number.is_finite() {
                    return Err(garbled("a vector holds a number that is no float"));
                }
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            Dtype::Int8 | Dtype::Binary => {
                let number = whole(number).and_then(|number| i8::try_from(number).ok());
                bytes.push(number.ok_or_else(|| garbled("a number does not fit a byte"))?.cast_unsigned());
            }
            Dtype::Uint8 | Dtype::Ubinary => {
                let number = whole(number).and_then(|number| u8::try_from(number).ok());
                bytes.push(number.ok_or_else(|| garbled("a number does not fit a byte"))?);
            }
        }
    }
    Ok(STANDARD.encode(bytes))
}

fn whole(number: &Node<'_>) -> Option<i64> {
    let value = number.as_f64()?;
    (value.fract() == 0.0 && value.abs() < 65_536.0).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_pack_little_endian() {
        // 1.0 is 0x3f800000, -2.5 is 0xc0200000.
        assert_eq!(pack("[1, -2.50]", Dtype::Float).unwrap(), "AACAPwAAIMA=");
        assert_eq!(unpack("AACAPwAAIMA=", Dtype::Float).unwrap(), ["1.0", "-2.5"]);
        assert_eq!(pack("[-1,127]", Dtype::Int8).unwrap(), "/38=");
        assert_eq!(unpack("/38=", Dtype::Binary).unwrap(), ["-1", "127"]);
        assert_eq!(unpack("/38=", Dtype::Ubinary).unwrap(), ["255", "127"]);
    }

    #[test]
    fn what_is_no_vector_is_garbled() {
        for data in ["AACAP", "!!!!", "AACA", "AADAfw=="] {
            assert!(unpack(data, Dtype::Float).is_err(), "{data}");
        }
        for (list, dtype) in [
            ("[1e400]", Dtype::Float),
            ("[128]", Dtype::Int8),
            ("[-1]", Dtype::Uint8),
            ("[0.5]", Dtype::Int8),
            ("[", Dtype::Float),
            ("[1e39]", Dtype::Float),
        ] {
            assert!(pack(list, dtype).is_err(), "{list}");
        }
    }

    proptest! {
        #[test]
        fn every_float_survives_both_ways(bits in proptest::collection::vec(any::<u32>(), 1..40)) {
            let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
            let data = STANDARD.encode(&bytes);
            match unpack(&data, Dtype::Float) {
                Ok(numbers) => prop_assert_eq!(pack(&format!("[{}]", numbers.join(",")), Dtype::Float).unwrap(), data),
                Err(_) => prop_assert!(bits.iter().any(|bits| !f32::from_bits(*bits).is_finite())),
            }
        }
    }
}
