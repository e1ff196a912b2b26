//! Generates the Rust stubs as a plugin of protoc (`--tonic_out`): a `CodeGeneratorRequest` on the standard input, a
//! `CodeGeneratorResponse` on the standard output.

use std::error::Error;
use std::io::{Read, Write, stdin, stdout};
use std::{env, fs, process};

use prost::Message;
use prost_types::FileDescriptorSet;
use prost_types::compiler::code_generator_response::{Feature, File};
use prost_types::compiler::{CodeGeneratorRequest, CodeGeneratorResponse};

const STUBS: &str = "intercomd.v1.rs";

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = Vec::new();
    stdin().read_to_end(&mut input)?;
    let request = CodeGeneratorRequest::decode(input.as_slice())?;
    let response = CodeGeneratorResponse {
        supported_features: Some(Feature::Proto3Optional as u64),
        file: vec![File { name: Some(STUBS.into()), content: Some(generate(request)?), ..File::default() }],
        ..CodeGeneratorResponse::default()
    };
    stdout().write_all(&response.encode_to_vec())?;
    Ok(())
}

/// Returns the messages and clients of the contract. The generator writes files, so a temporary folder takes them.
fn generate(mut request: CodeGeneratorRequest) -> Result<String, Box<dyn Error>> {
    let sources = request.proto_file.iter_mut().filter_map(|file| file.source_code_info.as_mut());
    for comment in sources.flat_map(|source| &mut source.location).filter_map(|place| place.leading_comments.as_mut()) {
        *comment = escape(comment);
    }
    let folder = env::temp_dir().join(format!("intercomd-stubs-{}", process::id()));
    fs::create_dir(&folder)?;
    let generated = tonic_prost_build::configure()
        .build_server(false)
        .out_dir(&folder)
        .compile_fds(FileDescriptorSet { file: request.proto_file })
        .and_then(|()| fs::read_to_string(folder.join(STUBS)));
    fs::remove_dir_all(&folder)?;
    Ok(generated?)
}

/// Returns a comment as Markdown: a "<" outside of code would begin an HTML tag.
fn escape(comment: &str) -> String {
    let parts = comment.split('`').enumerate();
    let escaped = parts.map(|(place, part)| if place % 2 == 0 { part.replace('<', "\\<") } else { part.to_owned() });
    escaped.collect::<Vec<_>>().join("`")
}
