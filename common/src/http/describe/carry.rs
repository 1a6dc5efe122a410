//! Carries JSON through utoipa's types, which know fewer words than JSON Schema has: as an extension that `finish` unpacks.

use std::marker::PhantomData;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use utoipa::IntoParams;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{RefOr, Required};

/// An object with this member stands for the member's value.
pub(super) const CARRIED: &str = "x-carried";
/// Schemas that the object around them refers to. They belong under `components`.
pub(super) const DEFINITIONS: &str = "x-definitions";

/// A member of a parameter that is none, but the operation's body. utoipa takes no generic type for a body.
pub(super) const BODY: &str = "x-body";

/// The fields of `T` as parameters of a query.
pub struct Of<T>(PhantomData<T>);

/// `T` as a JSON body. Its example is that of the type: `#[schemars(example = …)]`.
pub struct Body<T>(PhantomData<T>);

/// `T` as a body that may be left out.
pub struct MaybeBody<T>(PhantomData<T>);

/// `T` as the fields of a form.
pub struct Form<T>(PhantomData<T>);

impl<T: JsonSchema> IntoParams for Body<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![body::<T>("application/json", true)]
    }
}

impl<T: JsonSchema> IntoParams for MaybeBody<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![body::<T>("application/json", false)]
    }
}

impl<T: JsonSchema> IntoParams for Form<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![body::<T>("application/x-www-form-urlencoded", true)]
    }
}

fn body<T: JsonSchema>(media_type: &str, is_required: bool) -> Parameter {
    let schema = schema_by::<T>(SchemaSettings::draft2020_12());
    let example = schema[DEFINITIONS][&*T::schema_name()]["examples"][0].clone();
    let mut content = json!({"schema": schema});
    if !example.is_null() {
        content["example"] = example;
    }
    let body = json!({"required": is_required, "content": {media_type: content}});
    ParameterBuilder::new()
        .name(BODY)
        .extensions(Some(carried(json!({BODY: body}))))
        .build()
}

impl<T: JsonSchema> IntoParams for Of<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut generator = generator(SchemaSettings::draft2020_12());
        let mut schema = T::json_schema(&mut generator).to_value();
        let definitions = definitions(generator);
        let required = schema["required"].clone();
        let properties = schema["properties"].take();
        let properties: Map<String, Value> = serde_json::from_value(properties).unwrap_or_default();
        let parameter = |(name, mut schema): (String, Value)| {
            let is_required = required
                .as_array()
                .is_some_and(|names| names.contains(&json!(name)));
            let members = schema.as_object_mut().expect("a property has a schema");
            let description = members.remove("description");
            let examples = members.remove("examples");
            drop(members.remove("default"));
            or_absent(&mut schema);
            schema[DEFINITIONS] = definitions.clone();
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .required(if is_required {
                    Required::True
                } else {
                    Required::False
                })
                .description(description.as_ref().and_then(Value::as_str))
                .schema(Some(carried_schema(schema)))
                .example(examples.and_then(|examples| examples.get(0).cloned()))
                .build()
        };
        properties.into_iter().map(parameter).collect()
    }
}

/// A parameter of a query is left out, and never `null`.
fn or_absent(schema: &mut Value) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
    }
}

/// The schema of a body that we write: fields that may be null are there all the same.
pub(super) fn written<T: JsonSchema>() -> Value {
    schema_by::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn generator(settings: SchemaSettings) -> SchemaGenerator {
    settings
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator()
}

fn schema_by<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let mut generator = generator(settings);
    let mut schema = generator.subschema_for::<T>().to_value();
    if schema == json!(true) {
        schema = json!({});
    }
    schema[DEFINITIONS] = definitions(generator);
    schema
}

fn definitions(mut generator: SchemaGenerator) -> Value {
    generator.take_definitions(true).into()
}

fn carried_schema(schema: Value) -> RefOr<Schema> {
    let object = ObjectBuilder::new().extensions(Some(carried(schema)));
    RefOr::T(Schema::Object(object.build()))
}

pub(super) fn carried(value: Value) -> Extensions {
    Extensions::from_iter([(CARRIED, value)])
}
