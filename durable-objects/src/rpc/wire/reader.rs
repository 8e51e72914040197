//! From text to Rust's values.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::BorrowedStrDeserializer,
};

use super::{Mark, RAW_VALUE, WireError};

/// Reads one value after the other.
pub struct Reader<'de> {
    rest: &'de str,
}

impl<'de> Reader<'de> {
    pub fn new(text: &'de str) -> Self {
        Self { rest: text }
    }

    pub fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.garbled()) }
    }

    #[cold]
    #[inline(never)]
    fn garbled(&self) -> WireError {
        let found: String = self.rest.chars().take(20).collect();
        WireError::custom(format!("a message between actors is not of the expected form: {found}"))
    }

    fn peek(&self) -> u8 {
        self.rest.bytes().next().unwrap_or_default()
    }

    /// Whether `wanted` comes next; then it is taken.
    fn takes(&mut self, wanted: &str) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    #[inline(never)]
    fn take(&mut self, wanted: &str) -> Result<(), WireError> {
        if self.takes(wanted) { Ok(()) } else { Err(self.garbled()) }
    }

    /// What comes before `end`.
    fn until(&mut self, end: char) -> Result<&'de str, WireError> {
        let (before, rest) = self.rest.split_once(end).ok_or_else(|| self.garbled())?;
        self.rest = rest;
        Ok(before)
    }

    #[inline(never)]
    fn truth(&mut self) -> Result<bool, WireError> {
        let truth = self.takes("t");
        if !truth {
            self.take("f")?;
        }
        Ok(truth)
    }

    #[inline(never)]
    fn text(&mut self) -> Result<&'de str, WireError> {
        self.take("\"")?;
        let length = self.until(':')?.parse().map_err(|_| self.garbled())?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.garbled())?;
        self.rest = rest;
        Ok(text)
    }

    #[inline(never)]
    fn number(&mut self) -> Result<Number, WireError> {
        let sign = self.peek();
        let garbled = self.rest;
        let magnitude = self.rest.get(1..).unwrap_or_default();
        self.rest = magnitude;
        let digits = self.until(';')?;
        let number = match sign {
            b'+' => digits.parse().ok().map(Number::Natural),
            b'-' => digits
                .parse()
                .ok()
                .and_then(|number| 0_i64.checked_sub_unsigned(number))
                .map(Number::Negative),
            b'.' => digits.parse().ok().map(Number::Real),
            _ => None,
        };
        number.ok_or_else(|| Self { rest: garbled }.garbled())
    }

    fn list(&mut self, open: &str, close: u8) -> Result<Items<'_, 'de>, WireError> {
        self.take(open)?;
        Ok(Items { reader: self, close })
    }

    fn fields<V: Visitor<'de>>(&mut self, fields: &[&str], visitor: V) -> Result<V::Value, WireError> {
        self.take("(")?;
        let value = visitor.visit_seq(Fields { reader: self })?;
        self.close_fields(fields)?;
        Ok(value)
    }

    #[inline(never)]
    fn close_fields(&mut self, fields: &[&str]) -> Result<(), WireError> {
        self.take(")")?;
        let mark = Mark::of(fields).characters();
        self.take(std::str::from_utf8(&mark).unwrap_or_default())
    }
}

enum Number {
    Natural(u64),
    Negative(i64),
    Real(f64),
}

/// Methods of a `Deserializer` that do what another does: all that is there says what it is.
macro_rules! alike {
    ($($like:ident: $($method:ident)+;)+) => {
        $($(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
            self.$like(visitor)
        })+)+
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = WireError;

    /// For values that are not known beforehand. A struct among them is refused: nothing tells its fields' names.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.peek() {
            b'n' => self.deserialize_unit(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'"' => self.deserialize_str(visitor),
            b'[' => self.deserialize_seq(visitor),
            b'{' => self.deserialize_map(visitor),
            _ => self.deserialize_u64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_bool(self.truth()?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.number()? {
            Number::Natural(number) => visitor.visit_u64(number),
            Number::Negative(number) => visitor.visit_i64(number),
            Number::Real(number) => visitor.visit_f64(number),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        if self.takes("n") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        self.take("n")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        if name == RAW_VALUE {
            return visitor.visit_map(RawValue { reader: self });
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        let value = visitor.visit_seq(self.list("[", b']')?)?;
        self.take("]")?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, WireError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        let value = visitor.visit_map(self.list("{", b'}')?)?;
        self.take("}")?;
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        let has_content = self.takes("{");
        let value = visitor.visit_enum(Variant { reader: self })?;
        if has_content {
            self.take("}")?;
        }
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        self.deserialize_any(visitor)
    }

    alike! {
        deserialize_u64: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
            deserialize_u32 deserialize_f32 deserialize_f64;
        deserialize_str: deserialize_char deserialize_string deserialize_identifier deserialize_bytes deserialize_byte_buf;
    }
}

/// The inside of a list or a map.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    close: u8,
}

impl Items<'_, '_> {
    fn has_next(&self) -> bool {
        self.reader.peek() != self.close
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = WireError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, WireError> {
        if !self.has_next() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = WireError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, WireError> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, WireError> {
        seed.deserialize(&mut *self.reader)
    }
}

/// The inside of a struct. A field that was left out is like the end of a list: what is read takes its default.
struct Fields<'r, 'de> {
    reader: &'r mut Reader<'de>,
}

impl<'de> SeqAccess<'de> for Fields<'_, 'de> {
    type Error = WireError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, WireError> {
        if self.reader.takes("_") {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

/// JSON that is not parsed, as `serde_json` wants it handed over.
struct RawValue<'r, 'de> {
    reader: &'r mut Reader<'de>,
}

impl<'de> MapAccess<'de> for RawValue<'_, 'de> {
    type Error = WireError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, WireError> {
        seed.deserialize(BorrowedStrDeserializer::new(RAW_VALUE)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, WireError> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant of an enum: its name, and what it holds.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = WireError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), WireError> {
        let variant = seed.deserialize(&mut *self.reader)?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = WireError;

    fn unit_variant(self) -> Result<(), WireError> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, WireError> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, WireError> {
        self.reader.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.reader.fields(fields, visitor)
    }
}
