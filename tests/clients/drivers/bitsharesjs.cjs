// Drives a node with bitsharesjs and bitsharesjs-ws: one chapter a run, its results as JSON.
"use strict";

const { ChainStore, FetchChain, PrivateKey, Aes, TransactionBuilder, TransactionHelper } =
  require("bitsharesjs");
const { Apis } = require("bitsharesjs-ws");
const { readSettings, report, waitFor } = require("./common.cjs");
const operations = require("./operations.cjs");

const settings = readSettings();
const keys = Object.fromEntries(
  Object.entries(settings.keys).map(([name, wif]) => [name, PrivateKey.fromWif(wif)]),
);

const database = (method, ...args) => Apis.instance().db_api().exec(method, args);
const history = (method, ...args) => Apis.instance().history_api().exec(method, args);
const account = (name) => database("get_account_by_name", name);
const asset = async (symbol) => (await database("lookup_asset_symbols", [symbol]))[0];

// Sends one operation and waits for the notice that it is in a block.
async function send(signer, name, operation) {
  const builder = new TransactionBuilder();
  builder.add_type_operation(name, operation);
  await builder.set_required_fees();
  builder.add_signer(keys[signer], keys[signer].toPublicKey().toPublicKeyString());
  const [confirmation] = await builder.broadcast();
  return confirmation;
}

const client = { settings, database, history, account, asset, send };

const chapters = {
  ...operations.chapters(client),

  async transfer() {
    const [from, to] = [await account(settings.me), await account(settings.other)];
    const nonce = TransactionHelper.unique_nonce_uint64();
    const text = Buffer.from("für nathan: 5 €", "utf-8");
    const memo = {
      from: from.options.memo_key,
      to: to.options.memo_key,
      nonce,
      message: Aes.encrypt_with_checksum(keys[settings.me], to.options.memo_key, nonce, text),
    };
    const amount = { amount: 150000, asset_id: "1.3.0" };
    const [before] = await database("get_account_balances", to.id, ["1.3.0"]);
    const plain = await send(settings.me, "transfer", { from: from.id, to: to.id, amount });
    const sent = await send(settings.me, "transfer", { from: from.id, to: to.id, amount, memo });
    const [after] = await database("get_account_balances", to.id, ["1.3.0"]);
    const block = await database("get_block", sent.block_num);
    const found = block.transactions[sent.trx_num].operations[0][1].memo;
    return {
      received: after.amount - before.amount,
      plain: [plain.block_num > 0, plain.trx.operation_results],
      text: Aes.decrypt_with_checksum(
        keys[settings.other], found.from, found.nonce, found.message,
      ).toString("utf-8"),
    };
  },

  async watch() {
    const [me, peg] = [await account(settings.me), await asset(settings.peg)];
    const blocks = [];
    const market = [];
    await Apis.instance().db_api().exec("set_block_applied_callback", [(id) => blocks.push(id)]);
    const onMarket = (found) => market.push(...found);
    await database("subscribe_to_market", onMarket, "1.3.0", peg.id);
    await ChainStore.init();
    let changes = 0;
    ChainStore.subscribe(() => (changes += 1));
    const watched = await FetchChain("getAccount", settings.me);
    const balances = () =>
      ChainStore.getObject(ChainStore.getAccount(settings.me).getIn(["balances", "1.3.0"]));
    await waitFor(() => balances() && balances().get("balance"));
    const before = Number(balances().get("balance"));
    await send(settings.me, "limit_order_create", operations.order(me.id, peg.id, 10000, 7000000));
    await waitFor(() => Number(balances().get("balance")) < before && market.length);
    await waitFor(() => blocks.length);
    await database("unsubscribe_from_market", onMarket, "1.3.0", peg.id);
    return {
      name: watched.get("name"),
      changes,
      balance: [before, Number(balances().get("balance"))],
      blocks: blocks.flat(),
      market: market.length,
      head: ChainStore.getObject("2.1.0").get("head_block_number"),
    };
  },

  async signers() {
    const from = await account(settings.me);
    const builder = new TransactionBuilder();
    builder.add_type_operation("transfer", {
      from: from.id,
      to: "1.2.0",
      amount: { amount: 1, asset_id: "1.3.0" },
    });
    await builder.set_required_fees();
    const potential = await builder.get_potential_signatures();
    const required = await builder.get_required_signatures(potential.pubkeys);
    return { potential, required, key: keys[settings.me].toPublicKey().toPublicKeyString() };
  },
};

Apis.instance(settings.url, true)
  .init_promise.then(async ([network]) => ({ network, ...(await chapters[process.argv[2]]()) }))
  .then(report)
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
