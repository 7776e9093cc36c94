// What the drivers in JavaScript share: settings in, a result out, and patience.
"use strict";

const fs = require("fs");

exports.readSettings = () => JSON.parse(fs.readFileSync(0, "utf-8"));

exports.report = (result) => {
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`, () => process.exit(0));
};

exports.waitFor = async (condition, timeoutMs = 12000) => {
  const deadline = Date.now() + timeoutMs;
  while (!condition() && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
