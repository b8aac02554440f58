//! The only XML tokenizer of the server: well-formed, namespaced, bounded XML 1.0 in UTF-8.
//!
//! Over quick-xml this checks what that leaves open (names, characters, nesting, one root,
//! namespaces) and refuses what FHIR has no use for and attackers have: document types,
//! processing instructions, entities of one's own (xml.html#2.6.1, SECURITY IN-05).

use super::chars::{is_blank, is_name, is_set_off, is_xml_character};
use crate::error::{Issue, IssueCode};
use crate::limits::Limits;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use std::borrow::Cow;

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

pub(crate) enum Token<'a> {
    /// An empty element is a start and an end.
    Start(Tag<'a>),
    End,
    /// Character data, references resolved; what stands together may come in pieces.
    Text(Cow<'a, str>),
    Comment(Cow<'a, str>),
    Eof,
}

pub(crate) struct Tag<'a> {
    pub prefix: &'a str,
    pub local: &'a str,
    /// Empty for none.
    pub namespace: Cow<'a, str>,
    pub attributes: Vec<Attribute<'a>>,
    /// Offset of its `<`.
    pub start: usize,
}

pub(crate) struct Attribute<'a> {
    pub prefix: &'a str,
    pub local: &'a str,
    /// Empty for an attribute without a prefix.
    pub namespace: Cow<'a, str>,
    /// Normalised, references resolved.
    pub value: Cow<'a, str>,
}

impl Attribute<'_> {
    /// True for `xmlns` and `xmlns:prefix`.
    pub fn is_declaration(&self) -> bool {
        self.prefix == "xmlns" || (self.prefix.is_empty() && self.local == "xmlns")
    }
}

struct Binding<'a> {
    depth: usize,
    prefix: &'a str,
    namespace: Cow<'a, str>,
}

/// Tokens of one document.
pub(crate) struct Tokens<'a> {
    source: &'a str,
    reader: Reader<&'a [u8]>,
    limits: Limits,
    bindings: Vec<Binding<'a>>,
    depth: usize,
    nodes: usize,
    has_root: bool,
    end_is_due: bool,
}

type Step<T> = std::result::Result<T, Issue>;

impl<'a> Tokens<'a> {
    /// `source` as [`super::text_of`] made it.
    pub fn new(source: &'a str, limits: &Limits) -> Self {
        let mut reader = Reader::from_str(source);
        reader.config_mut().check_comments = true;
        Tokens {
            source,
            reader,
            limits: limits.clone(),
            bindings: Vec::new(),
            depth: 0,
            nodes: 0,
            has_root: false,
            end_is_due: false,
        }
    }

    /// Offset after the latest token.
    pub fn position(&self) -> usize {
        (self.reader.buffer_position() as usize).min(self.source.len())
    }

    pub fn source(&self) -> &'a str {
        self.source
    }

    /// The next token. An error ends the document: it is not well-formed, not allowed here or
    /// over a limit, and the text says where.
    pub fn next(&mut self) -> Step<Token<'a>> {
        if self.end_is_due {
            self.end_is_due = false;
            return Ok(self.close());
        }
        let start = self.position();
        let event = self.reader.read_event().map_err(|error| {
            let position = self.reader.error_position() as usize;
            self.fault(position, format!("Not well-formed XML: {error}"))
        })?;
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(self.too_costly(format!("More than {} XML nodes", self.limits.nodes)));
        }
        match event {
            Event::Start(tag) => self.open(start, &tag).map(Token::Start),
            Event::Empty(tag) => {
                self.end_is_due = true;
                self.open(start, &tag).map(Token::Start)
            }
            Event::End(_) => Ok(self.close()),
            Event::Text(text) => self.text(start, text.into_inner()),
            Event::CData(text) if self.depth > 0 => Ok(Token::Text(text.into_inner())),
            Event::CData(_) => Err(self.fault(start, "Text outside the root element")),
            Event::GeneralRef(reference) => self.reference(start, &reference),
            Event::Comment(text) => Ok(Token::Comment(text.into_inner())),
            Event::Decl(declaration) => {
                self.declaration(start, &declaration)?;
                self.next()
            }
            Event::PI(_) => Err(self.fault(start, "Processing instructions are not accepted")),
            Event::DocType(_) => {
                Err(self.fault(start, "Document type declarations are not accepted"))
            }
            Event::Eof if self.depth > 0 => {
                Err(self.fault(start, "The document ends inside an element"))
            }
            Event::Eof if !self.has_root => Err(self.fault(start, "There is no XML element")),
            Event::Eof => Ok(Token::Eof),
        }
    }

    /// Passes over the rest of the element whose start was the latest token.
    pub fn skip(&mut self) -> Step<()> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            self.next()?;
        }
        Ok(())
    }

    /// An issue with line and column of the offset.
    pub fn fault(&self, offset: usize, text: impl Into<String>) -> Issue {
        let before = self.source.get(..offset).unwrap_or(self.source);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        let text = format!("{} (line {line}, column {column})", text.into());
        Issue::error(IssueCode::Structure, "", text)
    }

    fn too_costly(&self, text: String) -> Issue {
        Issue { code: IssueCode::TooCostly, ..self.fault(self.position(), text) }
    }

    fn declaration(&self, start: usize, declaration: &BytesDecl<'_>) -> Step<()> {
        if start != 0 {
            return Err(self.fault(start, "An XML declaration stands at the very beginning"));
        }
        if !declaration.version().is_ok_and(|version| version == "1.0") {
            return Err(self.fault(start, "The XML version has to be 1.0"));
        }
        let is_readable = |name: &str| {
            ["UTF-8", "UTF8", "US-ASCII", "ASCII"].iter().any(|it| it.eq_ignore_ascii_case(name))
        };
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(name)) if is_readable(&name) => Ok(()),
            Some(_) => Err(self.fault(start, "The encoding has to be UTF-8")),
        }
    }

    fn text(&self, start: usize, text: Cow<'a, str>) -> Step<Token<'a>> {
        if self.depth == 0 && !is_blank(&text) {
            return Err(self.fault(start, "Text outside the root element"));
        }
        if text.contains("]]>") {
            return Err(self.fault(start, "']]>' in text has to be written ']]&gt;'"));
        }
        Ok(Token::Text(text))
    }

    fn reference(&self, start: usize, reference: &BytesRef<'_>) -> Step<Token<'a>> {
        if self.depth == 0 {
            return Err(self.fault(start, "Text outside the root element"));
        }
        let character = reference
            .resolve_char_ref()
            .map_err(|error| self.fault(start, format!("Not well-formed XML: {error}")))?;
        let text = match character {
            Some(character) if is_xml_character(character) => Some(character.to_string().into()),
            Some(_) => None,
            None => resolve_predefined_entity(reference).map(Cow::Borrowed),
        };
        text.map(Token::Text).ok_or_else(|| {
            let text =
                "Only the five entities of XML and references to XML characters are accepted";
            self.fault(start, text)
        })
    }

    fn close(&mut self) -> Token<'a> {
        while self.bindings.last().is_some_and(|binding| binding.depth == self.depth) {
            self.bindings.pop();
        }
        self.depth = self.depth.saturating_sub(1);
        Token::End
    }

    fn open(&mut self, start: usize, tag: &BytesStart<'_>) -> Step<Tag<'a>> {
        if self.depth == 0 && self.has_root {
            return Err(self.fault(start, "More than one root element"));
        }
        self.has_root = true;
        self.depth += 1;
        if self.depth > self.limits.depth {
            let text = format!("Elements nested deeper than {}", self.limits.depth);
            return Err(self.too_costly(text));
        }
        // The same text as in `tag`, with the lifetime of the source: `<`, name, attributes.
        let name_end = start + 1 + tag.name().as_ref().len();
        let content_end = name_end + tag.attributes_raw().len();
        let content = self.source.get(start + 1..content_end).unwrap_or_default();
        let name = self.source.get(start + 1..name_end).unwrap_or_default();
        let (prefix, local) = self.split_name(start, name)?;
        let attributes = self.attributes(start, content, name.len())?;
        let namespace = match self.resolve(prefix) {
            Some(namespace) => namespace,
            None if prefix.is_empty() => Cow::Borrowed(""),
            None => return Err(self.fault(start, format!("Prefix '{prefix}' is not declared"))),
        };
        Ok(Tag { prefix, local, namespace, attributes, start })
    }

    fn split_name(&self, start: usize, name: &'a str) -> Step<(&'a str, &'a str)> {
        if name.len() > self.limits.xml_name_bytes {
            let text = format!("A name longer than {} bytes", self.limits.xml_name_bytes);
            return Err(self.too_costly(text));
        }
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let is_prefixed = name.contains(':');
        match is_name(local) && (!is_prefixed || is_name(prefix)) {
            true => Ok((prefix, local)),
            false => Err(self.fault(start, format!("'{name}' is not an XML name"))),
        }
    }

    fn attributes(&mut self, start: usize, tag: &'a str, at: usize) -> Step<Vec<Attribute<'a>>> {
        let mut attributes = Vec::new();
        for attribute in Attributes::new(tag, at) {
            let attribute = attribute
                .map_err(|error| self.fault(start, format!("Not well-formed XML: {error}")))?;
            if attributes.len() == self.limits.xml_attributes {
                let text = format!("More than {} attributes", self.limits.xml_attributes);
                return Err(self.too_costly(text));
            }
            if !is_set_off(tag, &attribute.value) || attribute.value.contains('<') {
                return Err(self.fault(start, "Not well-formed XML: an attribute is malformed"));
            }
            let (prefix, local) = self.split_name(start, attribute.key.into_inner())?;
            let value = attribute
                .normalized_value(XmlVersion::Explicit1_0)
                .map_err(|error| self.fault(start, format!("Not well-formed XML: {error}")))?;
            let has_reference = attribute.value.contains('&');
            if has_reference && value.chars().any(|character| !is_xml_character(character)) {
                return Err(self.fault(start, "A reference to a character that XML has not"));
            }
            attributes.push(Attribute { prefix, local, namespace: Cow::Borrowed(""), value });
        }
        self.bind(start, &attributes)?;
        for index in 0..attributes.len() {
            if !attributes[index].prefix.is_empty() && !attributes[index].is_declaration() {
                self.resolve_attribute(start, &mut attributes, index)?;
            }
        }
        Ok(attributes)
    }

    fn resolve_attribute(
        &self,
        start: usize,
        attributes: &mut [Attribute<'a>],
        index: usize,
    ) -> Step<()> {
        let (prefix, local) = (attributes[index].prefix, attributes[index].local);
        let namespace = self
            .resolve(prefix)
            .ok_or_else(|| self.fault(start, format!("Prefix '{prefix}' is not declared")))?;
        let is_twice =
            attributes[..index].iter().any(|a| a.local == local && a.namespace == namespace);
        if is_twice {
            return Err(self.fault(start, format!("Attribute '{local}' is there twice")));
        }
        attributes[index].namespace = namespace;
        Ok(())
    }

    fn bind(&mut self, start: usize, attributes: &[Attribute<'a>]) -> Step<()> {
        for attribute in attributes.iter().filter(|attribute| attribute.is_declaration()) {
            let prefix = if attribute.prefix.is_empty() { "" } else { attribute.local };
            let namespace = attribute.value.clone();
            let is_reserved = matches!(prefix, "xml" | "xmlns");
            if is_reserved || (!prefix.is_empty() && namespace.is_empty()) {
                return Err(self.fault(start, format!("Prefix '{prefix}' cannot be declared so")));
            }
            if self.bindings.len() == self.limits.xml_attributes {
                let text = format!("More than {} namespaces", self.limits.xml_attributes);
                return Err(self.too_costly(text));
            }
            self.bindings.push(Binding { depth: self.depth, prefix, namespace });
        }
        Ok(())
    }

    fn resolve(&self, prefix: &str) -> Option<Cow<'a, str>> {
        if prefix == "xml" {
            return Some(Cow::Borrowed(XML_NAMESPACE));
        }
        let binding = self.bindings.iter().rev().find(|binding| binding.prefix == prefix);
        binding.map(|binding| binding.namespace.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(source: &str) -> Option<String> {
        let limits = Limits::default();
        let mut tokens = Tokens::new(source, &limits);
        loop {
            match tokens.next() {
                Ok(Token::Eof) => return None,
                Ok(_) => {}
                Err(issue) => return Some(issue.diagnostics),
            }
        }
    }

    #[test]
    fn well_formed_documents_pass() {
        for source in [
            "<a/>",
            "<?xml version=\"1.0\" encoding='utf-8'?>\n<!-- c --><a></a>\n<!-- d -->",
            "<a b = '1'\n c=\"&amp;&#10;&#x41;'\" ><b>x &lt; y<![CDATA[<&]]></b ></a>",
            "<p:a xmlns:p='urn:p' p:b='' xml:lang='en'/>",
        ] {
            assert_eq!(fault(source), None, "{source}");
        }
    }

    #[test]
    fn documents_that_are_not_well_formed_are_refused() {
        for source in [
            "",
            " ",
            "x",
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "<a/>&amp;",
            "x<a/>",
            "<a b/>",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<a b='1'c='2'/>",
            "<a b='<'/>",
            "<a b='&'/>",
            "<a>&</a>",
            "<a>& </a>",
            "<a>&nbsp;</a>",
            "<a b='&nbsp;'/>",
            "<a>&#0;</a>",
            "<a>&#1;</a>",
            "<a b='&#1;'/>",
            "<a b='&#xFFFE;'/>",
            "<1/>",
            "<a 1='1'/>",
            "<a:/>",
            "<:a/>",
            "<p:a/>",
            "<a p:b=''/>",
            "<a:b:c xmlns:a='x'/>",
            "<a>]]></a>",
            "<a><!-- -- --></a>",
            "<a xmlns:p=''/>",
            "<a xmlns:xml='urn:x'/>",
            "< a/>",
            "<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>",
            "<![CDATA[]]><a/>",
            "<a/><?xml version='1.0'?>",
            " <?xml version='1.0'?><a/>",
        ] {
            assert!(fault(source).is_some(), "{source}");
        }
    }

    #[test]
    fn what_attackers_use_is_refused_with_a_clear_text() {
        let cases = [
            ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "Document type"),
            ("<a><?php ?></a>", "Processing instructions"),
            ("<?xml-stylesheet href='x'?><a/>", "Processing instructions"),
            ("<?xml version='1.1'?><a/>", "version"),
            ("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "UTF-8"),
            ("<a>&x;</a>", "five entities"),
        ];
        for (source, text) in cases {
            let found = fault(source).unwrap_or_default();
            assert!(found.contains(text), "{source}: {found}");
        }
    }

    #[test]
    fn depth_attributes_names_and_nodes_are_bounded() {
        assert!(fault(&format!("{}{}", "<a>".repeat(64), "</a>".repeat(64))).is_none());
        assert!(fault(&"<a>".repeat(65)).unwrap().contains("deeper"));
        let attributes = |n: usize| (0..n).map(|i| format!(" a{i}=''")).collect::<String>();
        assert!(fault(&format!("<a{}/>", attributes(64))).is_none());
        assert!(fault(&format!("<a{}/>", attributes(65))).unwrap().contains("attributes"));
        assert!(fault(&format!("<{}/>", "a".repeat(257))).unwrap().contains("name"));
        let nodes = format!("<a>{}</a>", "<b/>".repeat(500_000));
        assert!(fault(&nodes).unwrap().contains("nodes"));
    }

    #[test]
    fn a_fault_names_line_and_column() {
        assert!(fault("<a>\n  <b p:c=''/></a>").unwrap().ends_with("(line 2, column 3)"));
    }
}
