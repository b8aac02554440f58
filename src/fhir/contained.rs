//! One of the resources that another contains, as it is written there
//! (<https://hl7.org/fhir/R4/references.html#contained>).

use super::resource::Id;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Container<'a> {
    #[serde(borrow)]
    contained: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Contained<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
}

/// Id and JSON of the resource at this place of `contained` in the JSON of its container; None
/// where there is none.
pub fn contained_at(container: &Bytes, place: usize) -> Option<(Id, Bytes)> {
    let read: Container<'_> = serde_json::from_slice(container).ok()?;
    let json = read.contained.get(place)?.get();
    let contained: Contained<'_> = serde_json::from_str(json).ok()?;
    Some((Id::parse(&contained.id)?, container.slice_ref(json.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contained_resource_keeps_its_digits_and_order() {
        let container = Bytes::from_static(
            br#"{"resourceType":"A","contained":[{"id":"a"},{"z":1.10,"id":"b","a":[]}],"id":"c"}"#,
        );
        let (id, json) = contained_at(&container, 1).unwrap();
        assert_eq!((id.as_str(), &json[..]), ("b", &br#"{"z":1.10,"id":"b","a":[]}"#[..]));
        assert!(contained_at(&container, 2).is_none());
        assert!(contained_at(&Bytes::from_static(b"{}"), 0).is_none());
    }
}
