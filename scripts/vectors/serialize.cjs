// Fills in the bytes of tests/vectors/operations.json: `serialized_hex` and `source` of each vector.
//
// An operation is serialised by bitsharesjs as it stands. Where its declaration differs from that
// of bitshares-core, which is right then, the operation is declared below in bitshares-core's field
// order, out of bitsharesjs' basic types; the vector's source says "declared".
"use strict";

const fs = require("fs");
const { ChainConfig } = require("bitsharesjs-ws");
const { ops, ChainTypes, Types, Serializer } = load();

const SOURCE = "bitsharesjs " + require("bitsharesjs/package.json").version;
const { uint8, uint16, uint32, int64, bool, string, bytes, array, set, map, optional } = Types;
const { extension, static_variant, protocol_id_type: id, time_point_sec, public_key } = Types;
const { asset, price, authority, memo_data } = ops;

ChainConfig.setPrefix("TEST");
ChainTypes.object_type.custom_authority = 17;
// bitsharesjs forgets that a class without fields has a list of fields too.
for (const type of Object.values(ops)) {
  if (type instanceof Serializer && !type.types) Object.assign(type, { types: {}, keys: [] });
}

function load() {
  const modules = {};
  for (const [name, file] of [
    ["ops", "serializer/src/operations"],
    ["ChainTypes", "chain/src/ChainTypes"],
    ["Types", "serializer/src/types"],
    ["Serializer", "serializer/src/serializer"],
  ]) {
    const found = require("bitsharesjs/dist/" + file);
    modules[name] = name !== "ops" && found.default ? found.default : found;
  }
  return modules;
}

const none = set(Types.void);
const account = id("account");
const declare = (name, fields) => new Serializer(name, fields);
const changed = (name, changes) => declare(name, { ...ops[name].types, ...changes });
const options = (fields) =>
  extension(Object.entries(fields).map(([name, type]) => ({ name, type })));

const empty = declare("empty", {});
const htlc_hash = static_variant([bytes(20), bytes(20), bytes(32), bytes(20)]);
const on_fill = array(
  static_variant([
    declare("create_take_profit_order_action", {
      fee_asset_id: id("asset"),
      spread_percent: uint16,
      size_percent: uint16,
      expiration_seconds: uint32,
      repeat: bool,
      extensions: none,
    }),
  ])
);
const special_authority = static_variant([
  empty,
  declare("top_holders_special_authority", { asset: id("asset"), num_top_holders: uint8 }),
]);
const special_authorities = {
  null_ext: empty,
  owner_special_authority: special_authority,
  active_special_authority: special_authority,
};
const buyback_options = declare("buyback_account_options", {
  asset_to_buy: id("asset"),
  asset_to_buy_issuer: account,
  markets: set(id("asset")),
});

const ID_NAMES = [
  "account", "asset", "force_settlement", "committee_member", "witness", "limit_order",
  "call_order", "custom", "proposal", "withdraw_permission", "vesting_balance", "worker",
  "balance",
];
const scalars = [bool, int64, string, time_point_sec, public_key, bytes(32), ...ID_NAMES.map(id)];
const argument = static_variant([empty, ...scalars, ...scalars.map((type) => set(type))]);
const restriction = declare("restriction", {
  member_index: Types.varuint64,
  restriction_type: Types.varuint64,
  argument,
  extensions: none,
});
restriction.nosort = true; // else bitsharesjs sorts a list by the first field of its items
const restrictions = array(restriction);
argument.st_operations.push(restrictions, array(restrictions), pair(int64, restrictions));

function pair(first, second) {
  return {
    fromObject: ([a, b]) => [first.fromObject(a), second.fromObject(b)],
    appendByteBuffer: (buffer, [a, b]) => {
      first.appendByteBuffer(buffer, a);
      second.appendByteBuffer(buffer, b);
    },
  };
}

const parameter_extensions = options({
  updatable_htlc_options: declare("htlc_options", {
    max_timeout_secs: uint32,
    max_preimage_size: uint32,
  }),
  custom_authority_options: declare("custom_authority_options_type", {
    max_custom_authority_lifetime_seconds: uint32,
    max_custom_authorities_per_account: uint32,
    max_custom_authorities_per_account_op: uint32,
    max_custom_authority_restrictions: uint32,
  }),
  market_fee_network_percent: uint16,
  maker_fee_discount_percent: uint16,
});

// Vector or operation name -> its declaration in bitshares-core.
const DECLARED = {
  limit_order_create_on_fill: changed("limit_order_create", { extensions: options({ on_fill }) }),
  account_create_buyback: changed("account_create", {
    extensions: options({ ...special_authorities, buyback_options }),
  }),
  account_update_top_holders: changed("account_update", {
    extensions: options(special_authorities),
  }),
  asset_update_more: changed("asset_update", {
    extensions: options({ new_precision: uint8, skip_core_exchange_rate: bool }),
  }),
  asset_publish_feed_icr: changed("asset_publish_feed", {
    extensions: options({ initial_collateral_ratio: uint16 }),
  }),
  committee_member_update_global_parameters_extensions: changed(
    "committee_member_update_global_parameters",
    {
      new_parameters: declare("chain_parameters", {
        ...ops.chain_parameters.types,
        extensions: parameter_extensions,
      }),
    }
  ),
  vesting_balance_create_instant: changed("vesting_balance_create", {
    policy: static_variant([empty, empty, empty]),
  }),
  fill_order: changed("fill_order", { fill_price: price, is_maker: bool }),
  asset_settle_cancel: declare("asset_settle_cancel", {
    fee: asset,
    settlement: id("force_settlement"),
    account,
    amount: asset,
  }),
  fba_distribute: changed("fba_distribute", { fba_id: Types.object_id_type }),
  htlc_create_hash160_memo: changed("htlc_create", {
    preimage_hash: htlc_hash,
    extensions: options({ memo: memo_data }),
  }),
  htlc_redeemed: declare("htlc_redeemed", {
    fee: asset,
    htlc_id: id("htlc"),
    from: account,
    to: account,
    redeemer: account,
    amount: asset,
    htlc_preimage_hash: htlc_hash,
    htlc_preimage_size: uint16,
    preimage: bytes(),
  }),
  htlc_refund: declare("htlc_refund", {
    fee: asset,
    htlc_id: id("htlc"),
    to: account,
    original_htlc_recipient: account,
    htlc_amount: asset,
    htlc_preimage_hash: htlc_hash,
    htlc_preimage_size: uint16,
  }),
  custom_authority_create: changed("custom_authority_create", { restrictions }),
  custom_authority_update: changed("custom_authority_update", {
    authority_to_update: id("custom_authority"),
    restrictions_to_add: restrictions,
  }),
  custom_authority_delete: changed("custom_authority_delete", {
    authority_to_delete: id("custom_authority"),
  }),
  credit_offer_accept_auto_repay: changed("credit_offer_accept", {
    extensions: options({ auto_repay: uint8 }),
  }),
  liquidity_pool_update: declare("liquidity_pool_update", {
    fee: asset,
    account,
    pool: id("liquidity_pool"),
    taker_fee_percent: optional(uint16),
    withdrawal_fee_percent: optional(uint16),
    extensions: none,
  }),
  credit_deal_update: declare("credit_deal_update", {
    fee: asset,
    account,
    deal_id: id("credit_deal"),
    auto_repay: uint8,
    extensions: none,
  }),
  limit_order_update: declare("limit_order_update", {
    fee: asset,
    seller: account,
    order: id("limit_order"),
    new_price: optional(price),
    delta_amount_to_sell: optional(asset),
    new_expiration: optional(time_point_sec),
    on_fill: optional(on_fill),
    extensions: none,
  }),
};

const NEWER = { liquidity_pool_update: 75, credit_deal_update: 76, limit_order_update: 77 };
const NAMES = Object.fromEntries(
  Object.entries({ ...ChainTypes.operations, ...NEWER }).map(([name, number]) => [number, name])
);

function fill(vector) {
  const [number, fields] = vector.operation;
  const name = NAMES[number];
  const declared = DECLARED[vector.name] || DECLARED[name];
  const type = static_variant([]);
  type.st_operations[number] = declared || ops[name];
  const wrapper = declare("operation", { op: type });
  const filled = {
    name: vector.name,
    source: declared ? "declared" : SOURCE,
    operation: vector.operation,
    serialized_hex: wrapper.toHex(wrapper.fromObject({ op: [number, fields] })),
  };
  return vector.note ? { ...filled, note: vector.note } : filled;
}

const path = process.argv[2];
const vectors = JSON.parse(fs.readFileSync(path, "utf8")).map(fill);
fs.writeFileSync(path, JSON.stringify(vectors, null, 1) + "\n");
console.log(`${vectors.length} vectors by ${SOURCE}, node ${process.version}`);
