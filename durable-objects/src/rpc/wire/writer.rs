//! From Rust's values to text.

use serde::{
    Serialize,
    ser::{
        Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant, Serializer,
    },
};

use super::{Mark, RAW_VALUE, WireError};

/// Writes one value.
#[derive(Default)]
pub struct Writer {
    text: String,
}

impl Writer {
    pub fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, character: u8) -> Result<(), WireError> {
        self.text.push(char::from(character));
        Ok(())
    }

    fn number(&mut self, sign: u8, magnitude: u64) -> Result<(), WireError> {
        self.text.push(char::from(sign));
        self.digits(magnitude);
        self.push(b';')
    }

    fn digits(&mut self, number: u64) {
        let mut digits = [0; 20];
        let mut rest = number;
        let mut length = 0_usize;
        for digit in digits.iter_mut().rev() {
            *digit = b'0'.wrapping_add(u8::try_from(rest % 10).unwrap_or_default());
            length = length.saturating_add(1);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text.extend(digits.iter().rev().take(length).rev().map(|digit| char::from(*digit)));
    }

    fn text(&mut self, text: &str) -> Result<(), WireError> {
        self.text.push('"');
        self.digits(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.text.push(':');
        self.text.push_str(text);
        Ok(())
    }

    fn variant(&mut self, name: &str) -> Result<(), WireError> {
        self.text.push('{');
        self.text(name)
    }

    fn items(&mut self, open: u8, close: &'static str) -> Items<'_> {
        self.text.push(char::from(open));
        Items { writer: self, close }
    }

    fn fields(&mut self, close: &'static str) -> Fields<'_> {
        self.text.push('(');
        Fields { writer: self, mark: Some(Mark::default()), close }
    }
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = WireError;
    type SerializeSeq = Items<'w>;
    type SerializeTuple = Items<'w>;
    type SerializeTupleStruct = Items<'w>;
    type SerializeTupleVariant = Items<'w>;
    type SerializeMap = Items<'w>;
    type SerializeStruct = Fields<'w>;
    type SerializeStructVariant = Fields<'w>;

    fn serialize_bool(self, value: bool) -> Result<(), WireError> {
        self.push(if value { b't' } else { b'f' })
    }

    fn serialize_i8(self, value: i8) -> Result<(), WireError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), WireError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), WireError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), WireError> {
        self.number(if value < 0 { b'-' } else { b'+' }, value.unsigned_abs())
    }

    fn serialize_u8(self, value: u8) -> Result<(), WireError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), WireError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), WireError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), WireError> {
        self.number(b'+', value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), WireError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), WireError> {
        self.text.push('.');
        self.text.push_str(&value.to_string());
        self.push(b';')
    }

    fn serialize_char(self, value: char) -> Result<(), WireError> {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), WireError> {
        self.text(value)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), WireError> {
        Err(WireError::custom("bytes do not travel: make text of them"))
    }

    fn serialize_none(self) -> Result<(), WireError> {
        self.push(b'n')
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WireError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), WireError> {
        self.push(b'n')
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WireError> {
        self.push(b'n')
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), WireError> {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), WireError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WireError> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.push(b'}')
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'w>, WireError> {
        Ok(self.items(b'[', "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'w>, WireError> {
        Ok(self.items(b'[', "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'w>, WireError> {
        Ok(self.items(b'[', "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'w>, WireError> {
        self.variant(variant)?;
        Ok(self.items(b'[', "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'w>, WireError> {
        Ok(self.items(b'{', "}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'w>, WireError> {
        if name == RAW_VALUE {
            return Ok(Fields { writer: self, mark: None, close: "" });
        }
        Ok(self.fields(""))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'w>, WireError> {
        self.variant(variant)?;
        Ok(self.fields("}"))
    }
}

/// The inside of a list or a map.
pub struct Items<'w> {
    writer: &'w mut Writer,
    close: &'static str,
}

impl Items<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
        value.serialize(&mut *self.writer)
    }

    fn close(self) -> Result<(), WireError> {
        self.writer.text.push_str(self.close);
        Ok(())
    }
}

/// The inside of a struct; without a mark, that of JSON that is not parsed.
pub struct Fields<'w> {
    writer: &'w mut Writer,
    mark: Option<Mark>,
    close: &'static str,
}

impl Fields<'_> {
    fn note(&mut self, field: &str) {
        if let Some(mark) = &mut self.mark {
            mark.add(field);
        }
    }

    fn add<T: Serialize + ?Sized>(&mut self, field: &str, value: &T) -> Result<(), WireError> {
        self.note(field);
        value.serialize(&mut *self.writer)
    }

    fn skip(&mut self, field: &str) -> Result<(), WireError> {
        self.note(field);
        self.writer.push(b'_')
    }

    fn close(self) -> Result<(), WireError> {
        if let Some(mark) = self.mark {
            self.writer.text.push(')');
            self.writer.text.extend(mark.characters().map(char::from));
        }
        self.writer.text.push_str(self.close);
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident::$add:ident;)+) => {
        $(impl $trait for Items<'_> {
            type Ok = ();
            type Error = WireError;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
                self.add(value)
            }

            fn end(self) -> Result<(), WireError> {
                self.close()
            }
        })+
    };
}

items! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = WireError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WireError> {
        self.add(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
        self.add(value)
    }

    fn end(self) -> Result<(), WireError> {
        self.close()
    }
}

macro_rules! fields {
    ($($trait:ident)+) => {
        $(impl $trait for Fields<'_> {
            type Ok = ();
            type Error = WireError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                field: &'static str,
                value: &T,
            ) -> Result<(), WireError> {
                self.add(field, value)
            }

            fn skip_field(&mut self, field: &'static str) -> Result<(), WireError> {
                self.skip(field)
            }

            fn end(self) -> Result<(), WireError> {
                self.close()
            }
        })+
    };
}

fields!(SerializeStruct SerializeStructVariant);
