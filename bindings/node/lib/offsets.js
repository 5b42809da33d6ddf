'use strict';
// A consumer group's offsets as the library's structs.

const { address, put64, viewOf, constants: c } = require('./library');
const { refused } = require('./errors');

const OFFSET = 64;
const GROUP = 80;
const MOST = 0x7fffffff;

function whole(value, least, most, what) {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw refused(c.INVALID_ARG, `${what} must be a whole number from ${least}`);
}

/** The structs, and the strings that they point to. */
function describe(offsets, group) {
  const { groupId, memberId = '', generationId = -1, groupInstanceId } =
    typeof group === 'string' ? { groupId: group } : group;
  if (!groupId) throw refused(c.INVALID_ARG, 'a group id is needed');
  const kept = [];
  const string = (view, at, value) => {
    if (value === null || value === undefined) return put64(view, at + 8, -1);
    const encoded = Buffer.from(value);
    // An empty Buffer may have no address.
    const content = Buffer.alloc(encoded.length + 8);
    encoded.copy(content);
    kept.push(content);
    put64(view, at, address(content));
    return put64(view, at + 8, encoded.length);
  };
  const records = Buffer.alloc(Math.max(offsets.length, 1) * OFFSET);
  const view = viewOf(records);
  offsets.forEach(({ topic, partition, offset, metadata, leaderEpoch = -1 }, place) => {
    const at = place * OFFSET;
    string(view, at, topic);
    put64(view, at + 16, whole(offset, 0, Number.MAX_SAFE_INTEGER, 'offset'));
    string(view, at + 24, metadata);
    view.setInt32(at + 40, whole(partition, 0, MOST, 'partition'), true);
    view.setInt32(at + 44, whole(leaderEpoch, -1, MOST, 'leaderEpoch'), true);
  });
  const member = Buffer.alloc(GROUP);
  const memberView = viewOf(member);
  string(memberView, 0, groupId);
  string(memberView, 16, memberId);
  string(memberView, 32, groupInstanceId);
  memberView.setInt32(48, whole(generationId, -1, MOST, 'generationId'), true);
  return { records, count: offsets.length, member, kept };
}

module.exports = { describe };
