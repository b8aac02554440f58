//! A limit on everything that can grow. The defaults; `config.rs` may override them.

/// Limits of a running server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request body after decompression.
    pub body_bytes: usize,
    /// Output over input of a compressed body, counted after the first MiB.
    pub decompression_ratio: usize,
    /// Bytes of path and query.
    pub url_bytes: usize,
    /// Nesting of JSON objects and arrays, and of XML elements.
    pub depth: usize,
    /// Bytes of one string of a resource; base64Binary is bound by the body alone.
    pub string_bytes: usize,
    /// Items of one array of a resource.
    pub array_items: usize,
    /// JSON nodes of one body.
    pub nodes: usize,
    /// Attributes of one XML element, namespace declarations included.
    pub xml_attributes: usize,
    /// Bytes of an XML element or attribute name.
    pub xml_name_bytes: usize,
    /// Operations of one patch.
    pub patch_operations: usize,
    /// Entries of a batch or transaction.
    pub bundle_entries: usize,
    /// Search parameters of one query.
    pub search_parameters: usize,
    /// Comma-separated alternatives over all parameters of one query.
    pub search_values: usize,
    /// Links of one chained parameter or `_has`, one after the other.
    pub search_chain: usize,
    /// Links of all chained parameters of one query, counted over every type they may lead to, and
    /// as often as the statement has them.
    pub search_links: usize,
    /// Codes of one value set, and concepts under one, in a search.
    pub value_set_codes: usize,
    /// Value sets and code systems that one value set draws upon.
    pub value_set_parts: usize,
    /// Resources that are part of one, or that one is part of, in `:below` and `:above`.
    pub hierarchy_members: i32,
    /// Keys of one `_sort`.
    pub sort_keys: usize,
    /// Matches that the database may have to sort for a page in an order of several keys.
    pub sort_matches: u64,
    /// Comparisons in all `_filter` parameters of one query.
    pub filter_comparisons: usize,
    /// Parentheses and brackets of a `_filter`, one within the other.
    pub filter_depth: usize,
    /// Active SearchParameters beside those of R4.
    pub custom_parameters: usize,
    /// Words of one value of `_text` or `_content`.
    pub text_words: usize,
    /// Parentheses and negations of such a value, one within the other.
    pub text_depth: usize,
    /// `_count` of a page: default and maximum.
    pub page_default: u32,
    pub page_maximum: u32,
    /// Resources changed since the first page of a result that a further page looks at.
    pub page_changes: usize,
    /// Resources that one conditional delete may take.
    pub conditional_delete: usize,
    /// Seconds that one interactive statement may run in the database.
    pub statement_seconds: u32,
    /// Times that a write is replayed after a lost race, a deadlock or a serialization failure.
    pub write_attempts: u32,
    /// Bytes of request bodies that may be in work at once; more wait, then are refused.
    pub admitted_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes: 10 << 20,
            decompression_ratio: 100,
            url_bytes: 8 << 10,
            depth: 64,
            string_bytes: 4 << 20,
            array_items: 50_000,
            nodes: 500_000,
            xml_attributes: 64,
            xml_name_bytes: 256,
            patch_operations: 1_000,
            bundle_entries: 5_000,
            search_parameters: 64,
            search_values: 256,
            search_chain: 5,
            search_links: 1_000,
            value_set_codes: 100_000,
            value_set_parts: 100,
            hierarchy_members: 10_000,
            sort_keys: 4,
            sort_matches: 500_000,
            filter_comparisons: 64,
            filter_depth: 16,
            custom_parameters: 500,
            text_words: 64,
            text_depth: 16,
            page_default: 50,
            page_maximum: 1_000,
            page_changes: 2_000,
            conditional_delete: 1_000,
            statement_seconds: 10,
            write_attempts: 8,
            admitted_bytes: 64 << 20,
        }
    }
}
