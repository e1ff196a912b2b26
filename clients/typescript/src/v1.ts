/**
 * Every message and enum of `intercomd.v1`, as protobuf-es generates them: `create(EnvelopeSchema, { ... })`.
 *
 * @module
 */
export { create, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
export { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
export * from "./gen/intercomd/v1/attribute_pb.js";
export * from "./gen/intercomd/v1/envelope_pb.js";
export * from "./gen/intercomd/v1/event_pb.js";
export * from "./gen/intercomd/v1/identity_pb.js";
export * from "./gen/intercomd/v1/ingest_pb.js";
export * from "./gen/intercomd/v1/operations_pb.js";
export * from "./gen/intercomd/v1/outcome_pb.js";
