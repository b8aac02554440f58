//! What browsers say of themselves.

/// The name of the browser, without what changes with its versions: a session is bound to it.
pub fn family(agent: &str) -> &str {
    let known = first(
        agent,
        &[
            ("Edg/", "Edge"),
            ("OPR/", "Opera"),
            ("Firefox/", "Firefox"),
            ("Chrome/", "Chrome"),
            ("Safari/", "Safari"),
        ],
    );
    known.unwrap_or_else(|| agent.split(['/', ' ']).next().unwrap_or_default())
}

/// The browser and the system, as far as they are well known; else the first of what it says.
pub fn shown(agent: &str) -> String {
    let system = first(
        agent,
        &[
            ("Android", "Android"),
            ("iPhone", "iPhone"),
            ("iPad", "iPad"),
            ("Windows", "Windows"),
            ("Mac OS X", "macOS"),
            ("Linux", "Linux"),
        ],
    );
    match system {
        Some(system) => format!("{}, {system}", family(agent)),
        None => agent.chars().take(60).collect(),
    }
}

fn first(agent: &str, names: &[(&str, &'static str)]) -> Option<&'static str> {
    names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_47_a_family_outlives_updates_and_is_not_another_browser() {
        let chrome = |version: &str| {
            format!(
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/{version} Safari/537.36"
            )
        };
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        assert_eq!(family(&chrome("140.0.0.0")), family(&chrome("141.0.1.2")));
        assert_ne!(family(&chrome("140.0.0.0")), family(firefox));
        assert_ne!(family(&chrome("140.0.0.0 Edg/1")), family(&chrome("140.0.0.0")));
        assert_eq!(family("curl/8.5.0"), family("curl/8.6.0"));
        assert_eq!(shown(firefox), "Firefox, Linux");
        assert_eq!(shown("curl/8.5.0"), "curl/8.5.0");
    }
}
