//! Writing objects.

use super::canonical::write_string;

/// Writes an object of JSON, member by member.
pub struct ObjectWriter(String);

impl Default for ObjectWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl ObjectWriter {
    /// An object without members.
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    /// Adds a member whose key needs no escapes and whose value is JSON.
    pub fn member(&mut self, key: &str, json: &str) {
        self.comma();
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
        self.0.push_str(json);
    }

    /// Adds a member whose value is a string.
    pub fn string(&mut self, key: &str, value: &str) {
        self.member(key, "");
        write_string(value, &mut self.0);
    }

    /// Adds a member whose value is an array of JSON values.
    pub fn array<S: AsRef<str>>(&mut self, key: &str, values: impl IntoIterator<Item = S>) {
        self.member(key, "[");
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self.0.push_str(value.as_ref());
        }
        self.0.push(']');
    }

    /// Adds a member whose key may need escapes and whose value is JSON.
    pub fn named(&mut self, key: &str, json: &str) {
        self.comma();
        write_string(key, &mut self.0);
        self.0.push(':');
        self.0.push_str(json);
    }

    /// Adds the members of an object of JSON, which are not to be there yet.
    pub fn members_of(&mut self, object: &str) {
        let members = object.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).map(str::trim);
        if let Some(members) = members.filter(|members| !members.is_empty()) {
            self.comma();
            self.0.push_str(members);
        }
    }

    /// Adds a member whose key and value are JSON.
    pub fn member_as_written(&mut self, key: &str, json: &str) {
        self.comma();
        self.0.push_str(key);
        self.0.push(':');
        self.0.push_str(json);
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 1
    }

    /// The object.
    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn comma(&mut self) {
        if !self.is_empty() {
            self.0.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_follow_one_another() {
        let mut json = ObjectWriter::new();
        json.string("a", "\"");
        json.array("b", ["1", "2"]);
        json.members_of("{}");
        json.members_of("{\"c\":3,\"d\":{}}");
        json.named("e\"", "null");
        assert_eq!(json.finish(), r#"{"a":"\"","b":[1,2],"c":3,"d":{},"e\"":null}"#);
        assert_eq!(ObjectWriter::new().finish(), "{}");
    }
}
