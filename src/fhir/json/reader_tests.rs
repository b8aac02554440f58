use super::*;
use crate::fhir::json::{write, write_pretty};

fn small() -> Limits {
    Limits { depth: 8, string_bytes: 100, array_items: 5, nodes: 50, ..Limits::default() }
}

fn kept(text: &str) {
    let value = read(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(String::from_utf8(write(&value)).unwrap(), text);
}

fn refused(bytes: &[u8]) -> crate::error::Issue {
    let error = read(bytes, &small()).expect_err(&String::from_utf8_lossy(bytes));
    assert_eq!(error.kind.status(), 400);
    assert_eq!(error.issues.len(), 1);
    error.issues.into_iter().next().unwrap()
}

#[test]
fn digits_order_and_nulls_are_kept() {
    kept(r#"{"z":1.10,"a":[1e2,1E+2,-0,-0.0,0.00,null,null],"m":100000000000000000000.5}"#);
    kept(r#"{"a":[null,{"b":[]}],"c":{},"d":true,"e":false,"f":""}"#);
    kept(r#""only a string""#);
    kept(r#"12"#);
}

#[test]
fn escapes_and_unicode_are_understood() {
    let text = r#""\" \\ \/ \b \f \n \r \t \u00e9 \uD83D\uDE00 é😀""#;
    let value = read(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(value, "\" \\ / \u{8} \u{c} \n \r \t é 😀 é😀");
}

#[test]
fn text_that_is_no_json_is_refused_with_line_and_column() {
    let issue = refused(b"{\n  \"a\": 1,\n  \"b\": tru\n}");
    assert_eq!(issue.code, IssueCode::Structure);
    assert!(issue.diagnostics.contains("line 3 column 8"), "{}", issue.diagnostics);
    let issue = refused("{\"é\": x}".as_bytes());
    assert!(issue.diagnostics.contains("line 1 column 7"), "{}", issue.diagnostics);
    for text in [
        "",
        " ",
        "{",
        "[",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "[1,]",
        "[1",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "{} {}",
        "{}x",
        "nul",
        "NaN",
        "Infinity",
        "-",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "--1",
        "0x10",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12G4\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "// c\n{}",
        "{\"a\":1 \"b\":2}",
        "]",
        "}",
        ",",
        ":",
        "True",
        "1_000",
    ] {
        assert_eq!(refused(text.as_bytes()).code, IssueCode::Structure, "{text}");
    }
}

#[test]
fn bytes_that_a_store_or_a_second_reader_would_take_otherwise_are_refused() {
    for bytes in [
        &b"\xEF\xBB\xBF{}"[..],
        b"\"\xff\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xc0\x80\"",
        b"\xff\xfe{\0}\0",
        b"{\0}",
        b"\"\0\"",
        b"{}\0",
        br#""\u0000""#,
        br#"{"\u0000":1}"#,
        br#""\ud800""#,
        br#""\ud800\n""#,
        br#""\ud800\u0041""#,
        br#""\udc00""#,
        br#"{"$serde_json::private::Number":"1"}"#,
        br#"{"$serde_json::private::RawValue":"1"}"#,
        br#"{"\u0024serde_json::private::Number":"1"}"#,
    ] {
        assert_eq!(refused(bytes).code, IssueCode::Structure, "{bytes:?}");
    }
}

#[test]
fn a_name_twice_in_an_object_is_refused_with_its_place() {
    let issue = refused(br#"{"resourceType":"Patient","name":[{},{"given":["a"],"given":["b"]}]}"#);
    assert_eq!(issue.expression, "Patient.name[1]");
    assert!(issue.diagnostics.contains("'given'"));
    let issue = refused(br#"{"resourceType":"Patient","subject":1,"subj\u0065ct":2}"#);
    assert_eq!(issue.expression, "Patient");
    let issue = refused(br#"{"a b":{"x":1,"x":2}}"#);
    assert_eq!(issue.expression, "`a b`");
}

#[test]
fn each_limit_is_named_with_its_value() {
    let cases = [
        ("[".repeat(9), "8 levels"),
        ("{\"a\":".repeat(9), "8 levels"),
        (format!("[{}]", "1,".repeat(5) + "1"), "5 a list"),
        (format!("\"{}\"", "-".repeat(101)), "limit of 100"),
        (format!("{{\"{}\":1}}", "-".repeat(101)), "limit of 100"),
        ("1".repeat(401), "400 characters"),
    ];
    for (text, named) in cases {
        let issue = refused(text.as_bytes());
        assert_eq!(issue.code, IssueCode::TooCostly, "{text}");
        assert!(issue.diagnostics.contains(named), "{}", issue.diagnostics);
    }
    let many =
        format!("{{{}}}", (0..60).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","));
    assert!(refused(many.as_bytes()).diagnostics.contains("limit of 50"));
}

#[test]
fn an_exponent_is_bounded() {
    kept("1e400");
    kept("1E-400");
    for text in ["1e401", "1e-401", "1e99999999999999999999"] {
        assert!(refused(text.as_bytes()).diagnostics.contains("±400"));
    }
}

#[test]
fn base64_is_bound_by_the_body_alone() {
    let text = format!("\"{}\"", "QUJD".repeat(100));
    assert!(read(text.as_bytes(), &small()).is_ok());
}

#[test]
fn very_deep_input_does_not_overflow_the_stack_whatever_the_setting() {
    let limits = Limits { depth: usize::MAX, ..Limits::default() };
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        let text = open.repeat(1_000_000);
        assert!(read(text.as_bytes(), &limits).is_err());
    }
    let text = format!("{}{}", "[".repeat(512), "]".repeat(512));
    assert!(read(text.as_bytes(), &limits).is_ok());
}

#[test]
fn what_serde_json_reads_is_read_the_same() {
    let text =
        r#"{"a":[1,2.50,"x\u0041\\",{"b":null,"c":[true,false]}],"d":"ÿ\n\t漢字","e":-1.5e-7}"#;
    let ours = read(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(ours, serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(read(&write_pretty(&ours), &Limits::default()).unwrap(), ours);
}

#[test]
fn every_length_of_string_ends_where_it_should() {
    for length in 0..40 {
        for tail in ["", "\\n", "\\\\", "é", "\\\"", "\u{7f}", "\u{20}", "!"] {
            let text = format!("[\"{}{tail}\",1]", "a".repeat(length));
            let ours = read(text.as_bytes(), &Limits::default()).unwrap();
            assert_eq!(ours, serde_json::from_str::<Value>(&text).unwrap(), "{text}");
        }
        let text = format!("\"{}\u{1f}aaaaaaaaaaaa\"", "a".repeat(length));
        assert!(read(text.as_bytes(), &Limits::default()).is_err());
    }
}
