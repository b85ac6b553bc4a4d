-- Dissector of PeerTap's trunk packets for Wireshark and tshark, for what "peertap capture" writes:
--
--   tshark -X lua_script:"$(peertap capture --dissector)" -r capture.pcapng -V
--
-- Packets have link type USER0 and begin with a header of the capture (drivers/node/pcapng.ts), then come
-- as they went over the trunk: sealed data (core/wire/packet.ts) or control (core/wire/kinds.ts).

local peertap = Proto("peertap", "PeerTap trunk packet")

local HEADER_BYTES = 12
local DATA_BYTES_MIN = 77
local TAG_BYTES = 16

local KINDS = {
  [1] = "hello", [2] = "versionRefused",
  [10] = "join", [11] = "forwardJoin", [12] = "neighbour", [13] = "neighbourReply", [14] = "disconnect",
  [15] = "shuffle", [16] = "shuffleReply",
  [20] = "linkCertificate", [21] = "beat", [22] = "update", [23] = "pathRequest", [24] = "path",
  [25] = "attach", [26] = "detach", [27] = "void",
  [30] = "register", [31] = "others", [32] = "registerRefused",
}
local DIRECTIONS = { [0] = "received", [1] = "sent" }
local CHANNELS = { [0] = "control", [1] = "data" }
local HOP_KINDS = { [0] = "control", [1] = "data" }
local TYPES = { [0] = "control", [1] = "data" }

local f = {
  capture_version = ProtoField.uint8("peertap.capture.version", "Version of this header"),
  direction = ProtoField.uint8("peertap.capture.direction", "Direction", base.DEC, DIRECTIONS),
  channel = ProtoField.uint8("peertap.capture.channel", "Channel", base.DEC, CHANNELS),
  link = ProtoField.uint32("peertap.capture.link", "Link"),
  hop_version = ProtoField.uint8("peertap.hop.version", "Version", base.DEC, nil, 0xf0),
  hop_kind = ProtoField.uint8("peertap.hop.kind", "Kind", base.DEC, HOP_KINDS, 0x0f),
  hop_tree = ProtoField.uint8("peertap.hop.tree", "Tree", base.DEC, nil, 0xc0),
  hop_class = ProtoField.uint8("peertap.hop.class", "Class", base.DEC, nil, 0x3f),
  hop_limit = ProtoField.uint8("peertap.hop.limit", "Hop limit"),
  version = ProtoField.uint8("peertap.version", "Version", base.DEC, nil, 0xf0),
  type = ProtoField.uint8("peertap.type", "Type", base.DEC, TYPES, 0x0f),
  vlan = ProtoField.bytes("peertap.data.vlan", "VLAN-ID"),
  mls = ProtoField.bytes("peertap.data.mls", "MLS-ID"),
  token = ProtoField.bytes("peertap.data.vft", "VFT"),
  nonce = ProtoField.bytes("peertap.data.nonce", "Masked nonce"),
  cipher = ProtoField.bytes("peertap.data.ciphertext", "Ciphertext"),
  cipher_length = ProtoField.uint32("peertap.data.ciphertext_length", "Length of the ciphertext"),
  tag = ProtoField.bytes("peertap.data.tag", "Tag"),
  kind = ProtoField.uint8("peertap.control.kind", "Kind", base.DEC, KINDS),
  body = ProtoField.bytes("peertap.control.body", "Body"),
}
for _, field in pairs(f) do
  table.insert(peertap.fields, field)
end

local short = ProtoExpert.new("peertap.short", "Packet is too short", expert.group.MALFORMED, expert.severity.ERROR)
peertap.experts = { short }

local function dissect_header(buffer, tree)
  local head = tree:add(buffer(0, HEADER_BYTES), "Capture")
  head:add(f.capture_version, buffer(0, 1))
  head:add(f.direction, buffer(1, 1))
  head:add(f.channel, buffer(2, 1))
  head:add(f.link, buffer(4, 4))
  local hop = tree:add(buffer(8, 3), "Trunk header")
  hop:add(f.hop_version, buffer(8, 1))
  hop:add(f.hop_kind, buffer(8, 1))
  hop:add(f.hop_tree, buffer(9, 1))
  hop:add(f.hop_class, buffer(9, 1))
  hop:add(f.hop_limit, buffer(10, 1))
end

local function dissect_data(packet, tree)
  local length = packet:len()
  local data = tree:add(packet(0), "Sealed packet")
  data:add(f.version, packet(0, 1))
  data:add(f.type, packet(0, 1))
  if length < DATA_BYTES_MIN then
    data:add_proto_expert_info(short)
    return "data, too short"
  end
  data:add(f.vlan, packet(1, 16))
  data:add(f.mls, packet(17, 16))
  data:add(f.token, packet(33, 16))
  data:add(f.nonce, packet(49, 12))
  local cipher_length = length - DATA_BYTES_MIN
  data:add(f.cipher_length, cipher_length):set_generated()
  if cipher_length > 0 then
    data:add(f.cipher, packet(61, cipher_length))
  end
  data:add(f.tag, packet(length - TAG_BYTES, TAG_BYTES))
  return string.format("data, VLAN %s, VFT %s, %d bytes sealed",
    packet(1, 4):bytes():tohex(true), packet(33, 4):bytes():tohex(true), cipher_length)
end

local function dissect_control(packet, tree)
  local control = tree:add(packet(0), "Control packet")
  control:add(f.version, packet(0, 1))
  control:add(f.type, packet(0, 1))
  if packet:len() < 2 then
    control:add_proto_expert_info(short)
    return "control, too short"
  end
  control:add(f.kind, packet(1, 1))
  if packet:len() > 2 then
    control:add(f.body, packet(2))
  end
  local kind = packet(1, 1):uint()
  return KINDS[kind] or string.format("control, unknown kind %d", kind)
end

function peertap.dissector(buffer, pinfo, root)
  pinfo.cols.protocol = "PeerTap"
  local tree = root:add(peertap, buffer())
  if buffer:len() <= HEADER_BYTES then
    tree:add_proto_expert_info(short)
    return
  end
  dissect_header(buffer, tree)
  local packet = buffer(HEADER_BYTES):tvb()
  local what
  if bit.band(packet(0, 1):uint(), 0x0f) == 1 then
    what = dissect_data(packet, tree)
  else
    what = dissect_control(packet, tree)
  end
  local direction = DIRECTIONS[buffer(1, 1):uint()] or "passed"
  pinfo.cols.info = string.format("%s link %d: %s", direction, buffer(4, 4):uint(), what)
end

DissectorTable.get("wtap_encap"):add((wtap or wtap_encaps).USER0, peertap)
