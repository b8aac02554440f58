//! What two statements of one shape have in common: their text without numbers, and without what
//! pages after the first and callers who may not see all add to every shape.

const ALIASES: [&str; 5] = ["r", "t", "h", "c", "s"];

/// The text of a statement by which its shape is known. One value, or any of several, is the same.
pub fn skeleton(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("--"));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let mut bare = String::new();
    for letter in words.join(" ").chars() {
        match letter {
            '0'..='9' if bare.ends_with('#') => {}
            '0'..='9' => bare.push('#'),
            letter => bare.push(letter),
        }
    }
    for alias in ALIASES {
        let filter = format!(
            " and ({alias}.subject_rids && $# or {alias}.owner = any($#) or {alias}.author = any($#))"
        );
        let unchanged = format!(
            " and ({alias}.epoch < $# or {alias}.xid < (select $#::xid#) or \
             pg_visible_in_snapshot({alias}.xid, (select $#::pg_snapshot)))"
        );
        bare = bare.replace(&filter, "").replace(&unchanged, "");
    }
    without_horizon(&bare.replace("= any($#)", "= $#"))
}

/// Without the column that tells what the first page saw, or whether anything was changed since.
fn without_horizon(text: &str) -> String {
    let end = ") as horizon";
    let parts = ["(select pg_current_snapshot()", "(select 'changed' from"];
    let at = parts.iter().find_map(|part| text.find(part));
    match at.and_then(|at| Some((at, at + text[at..].find(end)? + end.len()))) {
        Some((from, to)) => format!("{}horizon{}", &text[..from], &text[to..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_skeleton_of_its_shape_whatever_was_seen_before() {
        let golden = "-- Patient?\nselect *, (select pg_current_snapshot()::text || x) as horizon \
             from resource r\n where r.type = 103\n and (r.subject_rids && $1 or r.owner = any($2) \
             or r.author = any($3)) limit 51";
        let ran = "select *, (select 'changed' from resource c where c.type = any($1) limit 1) \
             as horizon from resource r where r.type = 96 and (r.epoch < $2 or r.xid < (select \
             $3::xid8) or pg_visible_in_snapshot(r.xid, (select $4::pg_snapshot))) limit 21";
        assert_eq!(skeleton(golden), skeleton(ran));
        assert_ne!(skeleton(golden), skeleton("select 1"));
    }
}
