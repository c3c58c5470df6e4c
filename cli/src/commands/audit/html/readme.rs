//! READMEs as part of a page.

use crate::commands::audit::audited::ReadmeOf;
use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// All that have a text.
pub fn all(readmes: &[ReadmeOf]) -> Markup {
    html! {
        @for readme in readmes.iter().filter(|readme| !readme.text.is_empty()) {
            h3 { a href=(readme.path) { (readme.path) } }
            p.note { "Of " (readme.ops.join(", ")) }
            div.readme { (markdown(readme.path, readme.text)) }
        }
    }
}

/// A file's Markdown: headings below those of the page, links from the root, no markup of its own.
pub fn markdown(path: &str, text: &str) -> Markup {
    let level = |level| if level == HeadingLevel::H1 { HeadingLevel::H4 } else { HeadingLevel::H5 };
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Heading { level: l, id, classes, attrs }) => {
            Event::Start(Tag::Heading { level: level(l), id, classes, attrs })
        }
        Event::End(TagEnd::Heading(l)) => Event::End(TagEnd::Heading(level(l))),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: from_root(path, &dest_url).into(), title, id })
        }
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        other => other,
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events);
    PreEscaped(html)
}

/// Where a link of a file leads, as seen from the root.
fn from_root(path: &str, link: &str) -> String {
    if link.contains("://") {
        return link.to_owned();
    }
    if link.starts_with('#') {
        return format!("{path}{link}");
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_from_the_root() {
        let path = "circuits/src/ops/softmax/README.md";
        for (link, from) in [
            ("../../arithmetic/gadgets/README.md", "circuits/src/arithmetic/gadgets/README.md"),
            ("circuit.rs", "circuits/src/ops/softmax/circuit.rs"),
            ("#bounds", "circuits/src/ops/softmax/README.md#bounds"),
            ("../../../../docs/protocol.md#5-the-first-state", "docs/protocol.md#5-the-first-state"),
        ] {
            assert_eq!(from_root(path, link), from);
        }
    }

    #[test]
    fn markdown_brings_no_markup_of_its_own() {
        let found = markdown("a/b.md", "# x\n\n<script>x</script>\n\n`a < b` <b>y\n\n| a |\n|---|\n| [c](d.md) |\n")
            .into_string();
        assert!(found.starts_with("<h4>x</h4>") && found.contains("<code>a &lt; b</code>"), "{found}");
        assert!(found.contains("&lt;script&gt;") && !found.contains("<script"), "{found}");
        assert!(found.contains("&lt;b&gt;y") && !found.contains("<b>"), "{found}");
        assert!(found.contains("<td><a href=\"a/d.md\">c</a></td>"), "{found}");
    }
}
