//! Rules on one Rust file: how it begins, how long it and its functions are, how it names things, what it silences.

use crate::{Violation, words::fault_of_name};
use syn::{spanned::Spanned as _, visit::Visit};

const FILE_LINES_MAX: usize = 500;
const INLINE_TEST_LINES_MAX: usize = 150;
const FUNCTION_LINES_MAX: usize = 70;

/// Every rule that the file breaks.
pub fn check(path: &str, text: &str) -> Vec<Violation> {
    let ast = match syn::parse_file(text) {
        Ok(ast) => ast,
        Err(error) => return vec![Violation::new(path, format!("cannot be read as Rust: {error}"))],
    };
    let mut reader = Reader { path, lines: text.lines().collect(), test_lines: 0, violations: Vec::new() };
    reader.visit_file(&ast);
    reader.check_beginning();
    reader.check_length();
    reader.check_name_of_file();
    reader.violations
}

/// Whether a file holds tests only, for which some rules do not hold.
pub fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Whether an item is compiled for tests only.
pub fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        syn::Meta::Path(path) => path.segments.last().is_some_and(|segment| segment.ident == "test"),
        syn::Meta::NameValue(_) => false,
    })
}

struct Reader<'a> {
    path: &'a str,
    lines: Vec<&'a str>,
    test_lines: usize,
    violations: Vec<Violation>,
}

impl Reader<'_> {
    fn refuse(&mut self, line: usize, rule: impl Into<String>) {
        self.violations.push(Violation::at(self.path, line, rule));
    }

    fn check_beginning(&mut self) {
        let unit_test = is_test_file(self.path) && self.path.contains("/src/");
        let first = self.lines.iter().find(|line| !line.starts_with("#!")).copied().unwrap_or_default();
        if !unit_test && !first.starts_with("//!") {
            self.refuse(1, "begins with `//!`: what lives here, and what never will");
        }
    }

    fn check_length(&mut self) {
        let lines = self.lines.len() - self.test_lines;
        if !is_test_file(self.path) && lines > FILE_LINES_MAX {
            let rule =
                format!("has {lines} lines beside its tests; {FILE_LINES_MAX} at most: split it by what it does");
            self.refuse(1, rule);
        }
        if !is_test_file(self.path) && self.test_lines > INLINE_TEST_LINES_MAX {
            let lines = self.test_lines;
            self.refuse(
                1,
                format!("has {lines} lines of tests inside; over {INLINE_TEST_LINES_MAX} they move to tests.rs"),
            );
        }
    }

    fn check_name_of_file(&mut self) {
        for part in self.path.trim_end_matches(".rs").split('/') {
            self.check_module_name(1, part);
        }
    }

    fn check_module_name(&mut self, line: usize, name: &str) {
        if ["common", "util", "utils", "helper", "helpers", "misc"].contains(&name) {
            self.refuse(line, format!("no module is called `{name}`: name it for what lives in it"));
        }
    }

    fn check_function(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        let (first, last) = (span.start().line, span.end().line);
        let inside = self.lines.get(first..last.saturating_sub(1)).unwrap_or_default();
        let code = inside.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with("//"));
        let count = code.count();
        if count > FUNCTION_LINES_MAX {
            self.refuse(first, format!("`{name}` has {count} lines of code; {FUNCTION_LINES_MAX} at most"));
        }
    }

    fn check_own_name(&mut self, name: &syn::Ident) {
        if let Some(fault) = fault_of_name(self.path, &name.to_string()) {
            self.refuse(name.span().start().line, fault);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let syn::Meta::List(list) = &attribute.meta else { return };
        let silences = list.path.is_ident("allow") || list.path.is_ident("expect");
        if silences && !list.tokens.to_string().contains("reason =") {
            self.refuse(attribute.span().start().line, "a lint is silenced with `reason = \"…\"` only");
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.check_module_name(module.ident.span().start().line, &module.ident.to_string());
        if let (true, Some((brace, _))) = (is_for_tests(&module.attrs), &module.content) {
            self.test_lines += 1 + brace.span.close().end().line - brace.span.open().start().line;
        }
        syn::visit::visit_item_mod(self, module);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.check_own_name(&function.sig.ident);
        self.check_function(&function.sig.ident, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        // The names in an implementation of a trait are the trait's.
        if block.trait_.is_none() {
            let functions = block.items.iter().filter_map(|item| match item {
                syn::ImplItem::Fn(function) => Some(&function.sig.ident),
                _ => None,
            });
            functions.for_each(|name| self.check_own_name(name));
        }
        syn::visit::visit_item_impl(self, block);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.check_function(&function.sig.ident, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        self.check_own_name(&function.sig.ident);
        if let Some(block) = &function.default {
            self.check_function(&function.sig.ident, block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.check_own_name(&item.ident);
        syn::visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.check_own_name(&item.ident);
        item.variants.iter().for_each(|variant| self.check_own_name(&variant.ident));
        syn::visit::visit_item_enum(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.check_own_name(&item.ident);
        syn::visit::visit_item_const(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident {
            self.check_own_name(name);
        }
        syn::visit::visit_field(self, field);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.check_own_name(&pattern.ident);
        syn::visit::visit_pat_ident(self, pattern);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> String {
        check(path, text).iter().map(|violation| format!("{violation:?}\n")).collect()
    }

    fn function_of(lines: usize) -> String {
        format!("//! Doc.\n\nfn f() {{\n    // No code.\n\n{}}}\n", "    g();\n".repeat(lines))
    }

    #[test]
    fn a_file_that_keeps_the_rules_is_left_alone() {
        let text = "//! What lives here.\n\n#[expect(dead_code, reason = \"shown\")]\nfn normalise() {}\n";
        assert_eq!(rules("broker/src/a.rs", text), "");
        assert_eq!(rules("broker/src/a.rs", &function_of(70)), "");
        assert_eq!(rules("broker/src/a/tests.rs", "use super::*;\n"), "");
    }

    #[test]
    fn planted_violations_are_found() {
        let silent = "//! Doc.\n#![allow(clippy::all)]\n";
        let long_file = format!("//! Doc.\n{}", "// line\n".repeat(500));
        let long_tests = format!("//! Doc.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "// line\n".repeat(150));
        let method = function_of(71).replace("fn f() {", "struct S; impl S { fn f() {").replace("\n}\n", "\n}}\n");
        for (path, text, rule) in [
            ("a/src/a.rs", "fn f() {}\n", "begins with"),
            ("a/tests/a.rs", "fn f() {}\n", "begins with"),
            ("a/src/a.rs", &*function_of(71), "`f` has 71 lines"),
            ("a/src/a.rs", &*method, "`f` has 71 lines"),
            ("a/src/a.rs", &*long_file, "has 501 lines"),
            ("a/src/a.rs", &*long_tests, "has 152 lines of tests"),
            ("a/src/utils.rs", "//! Doc.\n", "no module is called `utils`"),
            ("a/src/helpers/mod.rs", "//! Doc.\n", "no module is called `helpers`"),
            ("a/src/a.rs", "//! Doc.\nmod common {}\n", "no module is called `common`"),
            ("a/src/a.rs", "//! Doc.\n#[allow(dead_code)]\nfn f() {}\n", "silenced with"),
            ("a/src/a.rs", silent, "silenced with"),
            ("a/src/a.rs", "//! Doc.\nfn f() { #[expect(clippy::all)] g(); }\n", "silenced with"),
            ("a/src/a.rs", "//! Doc.\nfn normalize() {}\n", "normalise"),
            ("a/src/a.rs", "//! Doc.\nstruct S { patient_id: u8 }\n", "enterprise id"),
            ("a/src/a.rs", "//! Doc.\nfn f() { let color = 1; }\n", "colour"),
            ("a/src/a.rs", "//! Doc.\nenum E { Whitelist }\n", "allow-list"),
            ("a/src/a.rs", "//! Doc.\nfn {", "cannot be read as Rust"),
        ] {
            let found = rules(path, text);
            assert!(found.contains(rule), "{path} {rule:?}: {found}");
        }
    }

    #[test]
    fn tests_inside_a_file_do_not_count_towards_its_length() {
        let code = "// line\n".repeat(450);
        let text = format!("//! Doc.\n{code}#[cfg(test)]\nmod tests {{\n{}}}\n", "// line\n".repeat(100));
        assert_eq!(rules("a/src/a.rs", &text), "");
    }

    #[test]
    fn names_of_a_trait_are_not_ours() {
        let text = "//! Doc.\nimpl Serialize for S { fn normalize(&self) {} }\n";
        assert_eq!(rules("a/src/a.rs", text), "");
    }
}
