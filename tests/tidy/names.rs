//! What a Rust source file names: every path in it, imported or written out, in macros too, resolved to its beginning.

use std::collections::HashMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// One name and where it stands.
pub(crate) struct Name {
    /// `std::net::UdpSocket`, `caly_sip::sdp::Media`, `std::sync::*`; a method is `.elapsed`, a keyword `unsafe`.
    pub(crate) path: String,
    pub(crate) line: usize,
}

/// What one file says.
pub(crate) struct Source {
    /// Everything it names outside its tests.
    pub(crate) names: Vec<Name>,
    /// The files (without `.rs`) of the modules that it declares for tests only.
    pub(crate) test_modules: Vec<String>,
}

impl Source {
    /// Reads the file that stands at `file` below the root of the workspace.
    pub(crate) fn read(file: &str, text: &str) -> Result<Self, String> {
        let syntax = syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?;
        let mut imports = Imports { aliases: HashMap::new(), module: module_of(file) };
        imports.visit_file(&syntax);
        let mut reader =
            Reader { imports, file_module: child_directory(file), names: vec![], test_modules: vec![] };
        reader.visit_file(&syntax);
        let tokens = text.parse::<TokenStream>().map_err(|error| format!("{file}: {error}"))?;
        keywords(tokens, &mut reader.names);
        Ok(Self { names: reader.names, test_modules: reader.test_modules })
    }
}

/// First pass: what each imported name stands for.
struct Imports {
    aliases: HashMap<String, String>,
    module: Vec<String>,
}

impl Imports {
    /// The full path behind `segments`, or none for a bare local name.
    fn resolve(&self, segments: &[String], is_global: bool) -> Option<String> {
        let (first, rest) = segments.split_first()?;
        let join = |start: &str| [&[start.to_owned()], rest].concat().join("::");
        match first.as_str() {
            _ if is_global => Some(segments.join("::")),
            "crate" => Some(join(&self.module[0])),
            "self" => Some(join(&self.module.join("::"))),
            "super" => {
                let ups = segments.iter().take_while(|segment| *segment == "super").count();
                let parent = &self.module[..self.module.len().saturating_sub(ups).max(1)];
                Some([parent, &segments[ups..]].concat().join("::"))
            }
            name => match self.aliases.get(name) {
                Some(start) => Some(join(start)),
                None => (!rest.is_empty()).then(|| segments.join("::")),
            },
        }
    }

    /// The same for a `use`, where a lone name is a crate.
    fn resolve_import(&self, segments: &[String]) -> String {
        self.resolve(segments, false).unwrap_or_else(|| segments.join("::"))
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for leaf in leaves(&item.tree, &[]) {
            let path = self.resolve_import(&leaf.segments);
            self.aliases.insert(leaf.alias, path);
        }
    }
}

/// Second pass: every path, resolved.
struct Reader {
    imports: Imports,
    file_module: String,
    names: Vec<Name>,
    test_modules: Vec<String>,
}

impl Reader {
    fn add(&mut self, segments: &[String], is_global: bool, line: usize) {
        if let Some(path) = self.imports.resolve(segments, is_global) {
            self.names.push(Name { path, line });
        }
    }

    /// The arguments of a macro are tokens: paths and methods are found by their shape.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons, mut follows_dot) = (0, 0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if follows_dot => {
                    self.names.push(Name { path: format!(".{ident}"), line: ident.span().start().line });
                    follows_dot = false;
                }
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(&std::mem::take(&mut path), false, line);
                    }
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    follows_dot = false;
                    continue;
                }
                TokenTree::Punct(punct) => follows_dot = punct.as_char() == '.' && !follows_dot,
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Literal(_) => {}
            }
            self.add(&std::mem::take(&mut path), false, line);
            colons = 0;
        }
        self.add(&path, false, line);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if is_for_tests(item) && module.content.is_none() => {
                self.test_modules.push(format!("{}{}", self.file_module, module.ident));
            }
            _ if is_for_tests(item) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for leaf in leaves(&item.tree, &[]) {
            let path = self.imports.resolve_import(&leaf.segments);
            self.names.push(Name { path, line: item.span().start().line });
        }
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.add(&[item.ident.to_string()], true, item.span().start().line);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments, path.leading_colon.is_some(), path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.names.push(Name { path: format!(".{}", call.method), line: call.method.span().start().line });
        visit::visit_expr_method_call(self, call);
    }
}

/// One name at the end of a `use` tree.
struct Leaf {
    segments: Vec<String>,
    alias: String,
}

fn leaves(tree: &UseTree, before: &[String]) -> Vec<Leaf> {
    let with = |name: String| [before, &[name]].concat();
    match tree {
        UseTree::Path(path) => leaves(&path.tree, &with(path.ident.to_string())),
        UseTree::Group(group) => group.items.iter().flat_map(|tree| leaves(tree, before)).collect(),
        UseTree::Glob(_) => vec![Leaf { segments: with("*".into()), alias: "*".into() }],
        UseTree::Name(name) if name.ident == "self" => {
            let alias = before.last().cloned().unwrap_or_default();
            vec![Leaf { segments: before.to_vec(), alias }]
        }
        UseTree::Name(name) => {
            let alias = name.ident.to_string();
            vec![Leaf { segments: with(alias.clone()), alias }]
        }
        UseTree::Rename(rename) => {
            let is_self = rename.ident == "self";
            let segments = if is_self { before.to_vec() } else { with(rename.ident.to_string()) };
            vec![Leaf { segments, alias: rename.rename.to_string() }]
        }
    }
}

/// `unsafe` and the lint's name count wherever they stand, tests and attributes included.
fn keywords(tokens: TokenStream, names: &mut Vec<Name>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if ident == "unsafe" || ident == "unsafe_code" => {
                names.push(Name { path: ident.to_string(), line: ident.span().start().line });
            }
            TokenTree::Group(group) => keywords(group.stream(), names),
            _ => {}
        }
    }
}

fn is_for_tests(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    };
    attributes.iter().any(|attribute| {
        let is_test = |meta: &syn::MetaList| meta.tokens.to_string().trim() == "test";
        attribute.path().is_ident("cfg") && attribute.meta.require_list().is_ok_and(is_test)
    })
}

/// `src/call/route.rs` is `caly::call::route`.
fn module_of(file: &str) -> Vec<String> {
    let (root, inside) = match file.split_once("src/") {
        Some(("sip/", inside)) => ("caly_sip", inside),
        Some(("rtp/", inside)) => ("caly_rtp", inside),
        Some((_, inside)) => ("caly", inside),
        None => ("caly", file),
    };
    let inside = inside.trim_end_matches(".rs");
    let parts = inside.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main"));
    std::iter::once(root).chain(parts).map(str::to_owned).collect()
}

/// Where the modules that a file declares have their files.
fn child_directory(file: &str) -> String {
    let stem = file.trim_end_matches(".rs");
    match stem.rsplit_once('/') {
        Some((directory, "mod" | "lib" | "main")) => format!("{directory}/"),
        _ => format!("{stem}/"),
    }
}
