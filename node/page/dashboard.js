// The dashboard: one connection to the node, everything drawn anew with each block.

import { drawChain } from "./chain.js";
import { Development } from "./development.js";
import { byId, keep, make, say } from "./dom.js";
import { drawHistory } from "./history.js";
import { drawMarket } from "./market.js";
import { drawPositions, showWhy } from "./positions.js";
import { ConnectionLost, NodeSocket, oneAtATime } from "./socket.js";
import { CORE, Words, decimal } from "./units.js";
import { WhatIf } from "./whatif.js";

const ORDERS = 300;
const POSITIONS = 300;
const RECORDS = 100;
const CALLS = 20;
const PAGE_OF_ASSETS = 100;
const LONG_AGO = "1970-01-01T00:00:00";

const url = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`;
const seen = { words: null, count: 0, asset: null, calls: new Map() };
const node = new NodeSocket(url, connectionChanged);
const refresh = oneAtATime(draw);
const whatIf = new WhatIf(node);
const development = new Development(node, () => seen.words, refresh);

node.follow("database", "set_block_applied_callback", refresh);
node.follow("pegboard_dev", "set_rewind_callback", rewound);
addEventListener("hashchange", chooseByAddress);
document.addEventListener("visibilitychange", refresh);

function connectionChanged(state) {
  if (state !== "open") return showLink("bad", "connection lost, trying again");
  showLink("good", "live");
  return begin();
}

/** Learn what this chain has now, and draw it. */
async function begin() {
  try {
    await learnWords();
    await development.learn();
    await refresh();
  } catch (error) {
    complain(error);
  }
}

/** What this chain's people call things. */
async function learnWords() {
  const [info, count] = await Promise.all([
    node.call("pegboard", "get_node_info"),
    node.call("database", "get_asset_count"),
  ]);
  const assets = new Map();
  const [core] = await node.call("database", "get_assets", [CORE], false);
  assets.set(core.id, core);
  for (
    let start = "", page;
    page === undefined || page.length === PAGE_OF_ASSETS;
    start = page.at(-1).symbol
  ) {
    page = await node.call("database", "list_assets", start, PAGE_OF_ASSETS);
    for (const one of page) assets.set(one.id, one);
  }
  Object.assign(seen, { words: new Words(info, assets), count });
  document.title = `pegboard: a node of ${info.core_symbol}`;
  for (const element of document.querySelectorAll("[data-word=core]"))
    say(element, info.core_symbol);
  offerAssets([...assets.values()].filter((one) => one.bitasset_data_id));
}

function offerAssets(bitassets) {
  const byAge = [...bitassets].sort((one, other) => idNumber(one.id) - idNumber(other.id));
  const create = (one) => {
    const radio = make("input", { type: "radio", name: "asset", value: one.id });
    radio.addEventListener("change", () => choose(one.id));
    return make("label", {}, radio, make("span"));
  };
  const box = byId("assets");
  let list = box.querySelector(".chips");
  if (list === null) box.append((list = make("div", { class: "chips" })));
  keep(
    list,
    byAge,
    (one) => one.id,
    create,
    (element, one) => say(element.lastElementChild, seen.words.symbol(one.id)),
  );
  const wanted = byAge.find((one) => `#${seen.words.symbol(one.id)}` === location.hash);
  seen.asset = (wanted ?? byAge.find((one) => one.id === seen.asset) ?? byAge[0])?.id ?? null;
  const chosen = box.querySelector(`input[value="${seen.asset}"]`);
  if (chosen) chosen.checked = true;
}

function choose(id) {
  seen.asset = id;
  history.replaceState(null, "", `#${seen.words.symbol(id)}`);
  return refresh();
}

/** An address such as /#bitEUR opens that market. */
function chooseByAddress() {
  if (seen.words === null) return;
  const found = [...seen.words.assets.keys()].find(
    (id) => `#${seen.words.symbol(id)}` === location.hash,
  );
  if (found === undefined || found === seen.asset) return;
  byId("assets").querySelector(`input[value="${found}"]`).checked = true;
  choose(found).catch(complain);
}

const idNumber = (id) => Number(id.split(".")[2]);

async function draw() {
  try {
    // Nobody looks: the node has better things to do, and all is drawn when somebody comes back.
    if (seen.words === null || document.hidden) return;
    // Assets are never removed but by a rewind, after which all is learnt anew.
    if ((await node.call("database", "get_asset_count")) !== seen.count) await learnWords();
    const info = await node.call("pegboard", "get_node_info");
    seen.words.info = info;
    const head = await drawChain(node, info);
    await Promise.all([seen.asset === null ? null : drawAsset(head), development.drawClock()]);
    document.body.dataset.drawn = head.head_block_id;
    showLink("good", "live");
  } catch (error) {
    complain(error);
  }
}

async function drawAsset(head) {
  const { words, asset } = seen;
  const today = head.time.split("T")[0];
  const market = await node.call("pegboard", "get_asset_market", asset);
  const backing = market.backing_asset_id;
  const [orders, positions, feeds, calls, trades] = await Promise.all([
    node.call("database", "get_limit_orders", asset, backing, ORDERS),
    node.call("pegboard", "get_positions", asset, POSITIONS),
    node.call("pegboard", "get_feed_history", asset, 0, RECORDS),
    node.call("pegboard", "get_margin_call_history", asset, 0, CALLS),
    node.call("database", "get_trade_history_by_sequence", asset, backing, 0, LONG_AGO, RECORDS),
  ]);
  if (asset !== seen.asset) return;
  const sells = (id) => orders.filter((one) => one.sell_price.base.asset_id === id);
  drawMarket(words, { market, positions, bids: sells(asset), asks: sells(backing) });
  drawPositions(words, market, positions, explain);
  drawHistory(words, market, today, { feeds, calls, trades });
  tellOfCalls(asset, calls);
  document.body.dataset.asset = asset;
  await whatIf.use(words, market);
}

/** Say aloud who was called since this page looked last. */
function tellOfCalls(asset, calls) {
  const newest = calls[0]?.instance ?? -1;
  const before = seen.calls.get(asset) ?? newest;
  const fresh = calls.filter((one) => one.instance > before);
  if (fresh.length > 0) {
    const who = [...new Set(fresh.map((one) => one.account_name))].join(", ");
    const where = `block ${decimal(fresh[0].block_num, 0)}`;
    say(byId("told"), `Margin call in ${seen.words.symbol(asset)}: ${who}, ${where}.`);
  }
  seen.calls.set(asset, newest);
}

async function explain(position) {
  try {
    showWhy(
      seen.words,
      await node.call("pegboard", "explain_position", position.borrower, position.debt_asset),
    );
  } catch (error) {
    complain(error);
  }
}

function rewound([told]) {
  say(byId("told"), `The chain went back to block ${decimal(told.head_block_number, 0)}.`);
  return begin();
}

/** Tell of a refusal; a connection that was lost is told by the badge, and mends itself. */
function complain(error) {
  if (error instanceof ConnectionLost) return;
  showLink("bad", error.sentence ?? `this page failed: ${error.message}`);
}

function showLink(state, text) {
  byId("link").dataset.state = state;
  say(byId("link"), text);
}
