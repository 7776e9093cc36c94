// Drives a node with btsdex: one chapter a run, its results as JSON.
"use strict";

const BitShares = require("btsdex");
const { readSettings, report, waitFor } = require("./common.cjs");
const operations = require("./operations.cjs");

const settings = readSettings();
const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const database = (method, ...args) => BitShares.db[camel(method)](...args);
const history = (method, ...args) => BitShares.history[camel(method)](...args);

const client = {
  settings,
  database,
  history,
  account: (name) => database("get_account_by_name", name),
  asset: async (symbol) => (await database("lookup_asset_symbols", [symbol]))[0],
  async send(signer, name, operation) {
    const user = new BitShares(signer, settings.keys[signer]);
    await user.initPromise;
    const [confirmation] = await user.sendOperation({ [name]: operation });
    return confirmation;
  },
};

async function user(name) {
  const found = new BitShares(name, settings.keys[name]);
  found.setMemoKey(settings.keys[name]);
  await found.initPromise;
  return found;
}

const chapters = {
  ...operations.chapters(client),

  async transfer() {
    const [me, other] = [await user(settings.me), await user(settings.other)];
    const units = async () => (await other.balances("TEST"))[0].amount;
    const before = await units();
    await me.transfer(settings.other, "TEST", 1.5);
    const [sent] = await me.transfer(settings.other, "TEST", 1.5, "für nathan: 5 €");
    const block = await database("get_block", sent.block_num);
    const memo = block.transactions[sent.trx_num].operations[0][1].memo;
    return { received: (await units()) - before, text: other.memoDecode(memo) };
  },

  async trade() {
    const me = await user(settings.me);
    const order = await me.sell(settings.peg, "TEST", 1, 40);
    const open = await me.orders();
    await me.cancelOrder(order.id);
    const left = await me.orders();
    const fees = new BitShares.fees();
    await fees.update();
    return {
      order: order.id,
      open: open.map((item) => item.id),
      left: left.map((item) => item.id),
      ticker: await BitShares.ticker("TEST", settings.peg),
      book: await BitShares.getOrderBook(settings.peg, "TEST"),
      orders: (await BitShares.getLimitOrders(settings.peg, "TEST")).length,
      candles: await BitShares.tradeHistory(
        settings.peg, "TEST", new Date(0), new Date("2029-01-01"), 3600,
      ),
      fee: fees.transfer,
    };
  },

  async watch() {
    const me = await user(settings.me);
    const seen = { block: [], account: [] };
    BitShares.subscribe("block", (found) => seen.block.push(...found));
    BitShares.subscribe("account", (found) => seen.account.push(...found), settings.me);
    await waitFor(() => seen.block.length > 1);
    await me.transfer(settings.other, "TEST", 1);
    await waitFor(() => seen.account.length);
    return {
      blocks: seen.block.map((item) => item.head_block_number),
      operations: seen.account.map((item) => [item.id, item.op[0]]),
    };
  },
};

BitShares.connect(settings.url, false)
  .then(async () => ({ chain: BitShares.chain, ...(await chapters[process.argv[2]]()) }))
  .then(report)
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
