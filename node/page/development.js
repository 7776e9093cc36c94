// Time and money of a development chain: mine, travel, rewind, faucet; explained where refused.

import { byId, say, show } from "./dom.js";
import { ConnectionLost } from "./socket.js";
import { CORE, countOf, decimal, moment, toUnits } from "./units.js";

const API = "pegboard_dev";
const TIME_FORMS = ["mine", "travel", "rewind"];
const ALONE = { mine: "mine", travel: "travel_to", rewind: "rewind" };
const TOGETHER = { mine: "network_mine", travel: "network_travel", rewind: "network_rewind" };

/** The forms; `words()` gives the chain's words, `changed()` is called when something was done. */
export class Development {
  constructor(node, words, changed) {
    Object.assign(this, { node, words, changed, methods: ALONE });
    const go = (what, argument) => node.call(API, this.methods[what], argument);
    this.on("mine", (form) => go("mine", form.count.valueAsNumber), headText);
    this.on("travel", (form) => go("travel", form.by.value.trim()), headText);
    this.on("rewind", (form) => go("rewind", form.num.valueAsNumber), backText);
    this.on(
      "faucet",
      (form) => this.give(form),
      (found) => found,
    );
  }

  /** Ask what this node lets us do, and say so. */
  async learn() {
    let members = [];
    let areTogether = false;
    let refusal = "";
    try {
      members = await this.node.call(API, "get_members");
      areTogether = members.length > 0 && (await this.node.call(API, "can_go_together"));
    } catch (error) {
      if (error.sentence === undefined) throw error;
      refusal = `This node refuses: ${error.sentence}`;
    }
    const isNetwork = members.length > 0;
    const together =
      `All ${members.length} processes of this network go through time together` +
      (areTogether
        ? "."
        : ", from a terminal: pegboard travel +1d, pegboard rewind 10, pegboard snapshot. " +
          "The faucet works here.");
    show(byId("development-refused"), refusal || (isNetwork ? together : ""));
    byId("development-tools").hidden = refusal !== "";
    for (const id of TIME_FORMS) byId(id).hidden = isNetwork && !areTogether;
    this.methods = isNetwork ? TOGETHER : ALONE;
  }

  /** Tell how far the clock was moved. */
  async drawClock() {
    if (byId("development-tools").hidden) return;
    const clock = await this.node.call(API, "get_clock");
    const moved =
      clock.offset_ms === 0
        ? "as the machine's"
        : `${decimal(clock.offset_ms, 3)} s from the machine's`;
    say(byId("development-note"), `The node's clock shows ${moment(clock.time)} UTC, ${moved}`);
  }

  on(id, act, tell) {
    const form = byId(id);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      button.setAttribute("aria-busy", "true");
      const told = byId("development-told");
      try {
        const text = tell(await act(form.elements));
        told.classList.remove("bad");
        show(told, text);
      } catch (error) {
        // Whoever goes far back starts again, and ends the connection on which it was asked to.
        const isFarBack = id === "rewind" && error instanceof ConnectionLost;
        told.classList.toggle("bad", !isFarBack);
        show(told, isFarBack ? FAR_BACK : (error.sentence ?? error.message));
      }
      button.removeAttribute("aria-busy");
      this.changed();
    });
  }

  async give(form) {
    const words = this.words();
    const name = form.namedItem("name").value.trim();
    const units = toUnits(form.amount.value, words.assets.get(CORE).precision);
    const amount = units && { amount: units, asset_id: CORE };
    if (!amount) throw new Error(`Not an amount of ${words.symbol(CORE)}: ${form.amount.value}`);
    const found = await this.node.call(API, "faucet", name, null, CORE, units);
    const made = found.is_new ? "made, with the development key of its name" : "there already";
    const gift = `${words.amount(amount)} from ${found.funder} in the next block`;
    return `${name} (${found.account}), ${made}, gets ${gift}.`;
  }
}

const FAR_BACK =
  "The block is far back: the node starts again from its stores, and this page comes back with it.";

const headText = (head) =>
  `The head is block ${decimal(head.head_block_number, 0)} of ${moment(head.head_block_time)} UTC.`;

function backText(head) {
  if (head.is_replaying) return FAR_BACK;
  return `${countOf(head.popped, "block")} taken back. ${headText(head)}`;
}
