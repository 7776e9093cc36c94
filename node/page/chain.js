// The chain: its head, its slots, who makes its blocks.

import { byId, facts, make, rows, say, show } from "./dom.js";
import { countOf, decimal, moment, plural } from "./units.js";

const SLOTS = 128;
const NAMES = new Map();

/** Draw the chain; `info` is `pegboard.get_node_info`. */
export async function drawChain(node, info) {
  const [head, properties] = await Promise.all([
    node.call("database", "get_dynamic_global_properties"),
    node.call("database", "get_global_properties"),
  ]);
  const producers = await node.call("database", "get_witnesses", properties.active_witnesses);
  await learnNames(
    node,
    producers.map((one) => one.witness_account),
  );
  const nameOf = new Map(producers.map((one) => [one.id, NAMES.get(one.witness_account)]));
  const term = info.producer_term;
  const interval = properties.parameters.block_interval;
  const behind = head.head_block_number - head.last_irreversible_block_num;

  const kind = info.is_development ? `, development (${info.block_mode})` : "";
  say(byId("chain-note"), `pegboard ${info.version}, a block every ${interval} s${kind}`);
  facts(byId("chain-facts"), [
    ["Head", decimal(head.head_block_number, 0), `${moment(head.time)} UTC`],
    [
      "Irreversible",
      decimal(head.last_irreversible_block_num, 0),
      `${countOf(behind, "block")} behind`,
    ],
    [
      `Last ${term}`,
      nameOf.get(head.current_witness) ?? head.current_witness,
      head.current_witness,
    ],
    [
      "Slot",
      decimal(head.current_aslot, 0),
      `maintenance at ${moment(head.next_maintenance_time, head.time.split("T")[0])}`,
    ],
    [
      "Peers",
      decimal(info.peers.length, 0),
      `signs for ${countOf(info.own_witnesses.length, term)}`,
    ],
  ]);
  drawSlots(BigInt(head.recent_slots_filled));
  drawProducers(producers, head, term);
  show(byId("stall"), info.stall === null ? "" : stalled(info.stall));
  return head;
}

function drawSlots(filled) {
  const strip = byId("slots");
  if (strip.childElementCount === 0) {
    strip.append(...Array.from({ length: SLOTS }, () => make("i")));
  }
  let count = 0;
  for (let slot = 0; slot < SLOTS; slot++) {
    const isFilled = ((filled >> BigInt(SLOTS - 1 - slot)) & 1n) === 1n;
    count += Number(isFilled);
    strip.children[slot].className = isFilled ? "" : "missed";
  }
  say(
    byId("slots-text"),
    `${count} of the last ${SLOTS} slots have a block; the newest is on the right`,
  );
}

function drawProducers(producers, head, term) {
  const missed = producers.reduce((sum, one) => sum + BigInt(one.total_missed), 0n);
  const lost = `${countOf(Number(missed), "slot")} missed since the start`;
  say(byId("producers-summary"), `${countOf(producers.length, term)}, ${lost}`);
  say(byId("producers-caption"), `Active ${plural(term)}`);
  rows(
    byId("producers-table"),
    producers,
    (one) => one.id,
    [
      { text: (one) => NAMES.get(one.witness_account) },
      { name: "right", text: (one) => decimal(one.last_confirmed_block_num, 0) },
      { name: "right", text: (one) => decimal(one.total_missed, 0) },
    ],
    (one) => (one.id === head.current_witness ? "now" : ""),
  );
}

async function learnNames(node, accounts) {
  const unknown = accounts.filter((one) => !NAMES.has(one));
  if (unknown.length === 0) return;
  const found = await node.call("database", "get_accounts", unknown, false);
  found.forEach((one) => NAMES.set(one.id, one.name));
}

function stalled(stall) {
  const waits = stall.waits_for.map((one) => `${one.what}: ${one.detail}`).join("; ");
  const lacks = stall.what === "blocks" ? "block" : stall.what;
  return `There is no new ${lacks}. It waits for ${waits}.`;
}
