"""The Lua world of the simulated Redis: what redis-server 6.2 shows to a script, and nothing of this machine.

Scripts run in Lua 5.1 (through lupa) with protected globals, `redis.*`, `cjson` and the server's own `math.random`.
A script that runs for too many instructions, or touches a library that is not here, raises `NotSimulated`.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from harness.errors import NotSimulated
from harness.sim.redis.lua_error import LuaError
from harness.sim.redis.lua_json import JsonLibrary

_LUA = import_module("lupa.lua51")
_INSTRUCTIONS = 20_000_000
_RAND_MAX = 2**31 - 1
_DEEPEST_CALL = 20
_REMEDY = "Rewrite the script without it, or run this scenario in the live world, against a real Redis"

# Each line of the error handler counts: Redis names its own ninth line when a script raises a table.
_ERROR_HANDLER = b"""local getinfo, message_of = ...
return function(err)
  local level = 2
  err = message_of(err)
  local i = getinfo(level, 'nSl')
  while i and (i.what == 'C' or i.source == '=sandbox') do
    level = level + 1
    i = getinfo(level, 'nSl') end
  if i then return i.source .. ':' .. i.currentline .. ': ' .. err
  else return err end
end
"""

_SANDBOX = b"""local globals, call, message_of, missing, host = ...
local raw = {}
for name, value in globals.pairs(globals) do raw[name] = value end
for name in raw.pairs(raw) do globals[name] = nil end
local error, rawget, rawset, setmetatable, setfenv = raw.error, raw.rawget, raw.rawset, raw.setmetatable, raw.setfenv
local getinfo, sethook, loadstring, xpcall = raw.debug.getinfo, raw.debug.sethook, raw.loadstring, raw.xpcall

local protected = setmetatable({}, {__mode = 'k'})
local function readonly(content, absent)
  local proxy = setmetatable({}, {
    __index = function(_, name)
      local value = content[name]
      if value == nil and absent then value = absent(name) end
      return value
    end,
    __newindex = function() error('Attempt to modify a readonly table', 2) end,
  })
  protected[proxy] = true
  return proxy
end

local visible = {}
for _, name in raw.ipairs({'assert', 'error', 'getfenv', 'getmetatable', 'ipairs', 'newproxy', 'rawequal',
    'select', 'setfenv', 'setmetatable', 'tonumber', 'type', 'unpack', '_VERSION'}) do
  visible[name] = raw[name]
end
for _, name in raw.ipairs({'next', 'pairs', 'rawget'}) do
  local original = raw[name]
  visible[name] = function(t, ...)
    if protected[t] then missing(name .. ' on a library or on _G') end
    return original(t, ...)
  end
end
-- What tells one place in memory from another would differ from run to run.
visible.tostring = function(value)
  local kind = raw.type(value)
  local meta = kind == 'table' and raw.getmetatable(value)
  if kind == 'function' or kind == 'thread' or (kind == 'table' and not (meta and meta.__tostring)) then
    missing('tostring of a ' .. kind)
  end
  return raw.tostring(value)
end
visible.collectgarbage = function(option)
  if option == 'count' then missing('the size of the memory') end
  return 0
end
visible.gcinfo = function() missing('the size of the memory') end
local env = readonly(visible, function(name)
  error("Script attempted to access nonexistent global variable '" .. raw.tostring(name) .. "'", 3)
end)

local function readable(ok, err, ...)
  if not ok then err = message_of(err) end
  return ok, err, ...
end
visible._G = env
visible.print = function() end
visible.pcall = function(f, ...) return readable(raw.pcall(f, ...)) end
visible.xpcall = function(f, handler) return xpcall(f, function(err) return handler(message_of(err)) end) end
visible.rawset = function(t, k, v)
  if protected[t] then error('Attempt to modify a readonly table', 0) end
  return rawset(t, k, v)
end
visible.loadstring = function(...)
  local f, err = loadstring(...)
  if f then setfenv(f, env) end
  return f, err
end
visible.load = function(...)
  local f, err = raw.load(...)
  if f then setfenv(f, env) end
  return f, err
end
local math_library = {}
for name, value in raw.pairs(raw.math) do math_library[name] = value end
math_library.random, math_library.randomseed = host.random, host.randomseed
visible.math = readonly(math_library)
visible.string, visible.table, visible.coroutine = readonly(raw.string), readonly(raw.table), readonly(raw.coroutine)
local function absent_library(library)
  return readonly({}, function(name) missing(library .. '.' .. raw.tostring(name)) end)
end
visible.cjson = readonly({encode = host.encode, decode = host.decode, null = host.null, _NAME = 'cjson'},
  function(name) missing('cjson.' .. raw.tostring(name)) end)
visible.cmsgpack, visible.struct = absent_library('cmsgpack'), absent_library('struct')
visible.bit = absent_library('bit')
local redis = {
  call = call(true), pcall = call(false), log = host.log, sha1hex = host.sha1hex,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REPL_NONE = 0, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_AOF = 1, REPL_ALL = 3,
  error_reply = function(text) return {err = text} end,
  status_reply = function(text) return {ok = text} end,
  replicate_commands = function() return true end,
  set_repl = function() end,
  breakpoint = function() return false end,
  debug = function() end,
}
visible.redis = readonly(redis, function(name)
  if name == 'setresp' or name == 'acl_check_cmd' or name == 'register_function' then missing('redis.' .. name) end
end)

local function table_of(values)
  local t = {}
  for position, value in raw.ipairs(values) do t[position] = value end
  return t
end
local handler = loadstring(host.error_handler, '@err_handler_def')(getinfo, message_of)
local function run(f, keys, argv, instructions)
  visible.KEYS, visible.ARGV = table_of(keys), table_of(argv)
  sethook(function() missing('a script of more than ' .. instructions .. ' instructions') end, '', instructions)
  local ok, result = xpcall(f, handler)
  sethook()
  return ok, result
end
local function compile(source)
  local f, err = loadstring(source, '@user_script')
  if not f then return nil, err end
  return setfenv(f, env)
end
return compile, run
"""


class _Raised(Exception):
    """Carries an error text through Lua; `Sandbox` keeps the text."""


def redis_random(state: int) -> tuple[int, int]:
    """The next number of redis-server's own generator, from 0 to 2**31 - 1, and its new state."""
    state = (state * 0x5DEECE66D + 0xB) % 2**48
    return state >> 17, state


class Sandbox:
    """One Lua state, for one run of one node.

    call: executes a Redis command for the running script; returns a Lua-ready value, or raises `LuaError`.
    """

    def __init__(self, call: Callable[[list[bytes]], Any], sha1hex: Callable[[bytes], bytes]) -> None:
        self._lua = _LUA.LuaRuntime(
            encoding=None, unpack_returned_tuples=True, register_eval=False, register_builtins=False
        )
        self._call = call
        self._sha1hex = sha1hex
        self._message: bytes = b""
        self._refusal: BaseException | None = None
        self._random_state = 0
        globals_of_lua = self._lua.globals()
        self._getinfo = globals_of_lua.debug.getinfo
        json = JsonLibrary(self._lua, _LUA.lua_type)
        host = self._lua.table_from(
            {
                b"random": self._raising(self._located(self._random)),
                b"randomseed": self._raising(self._seed),
                b"encode": self._raising(self._located(json.encode)),
                b"decode": self._raising(self._located(json.decode)),
                b"null": json.null,
                b"log": self._raising(self._log),
                b"sha1hex": self._raising(self._hash),
                b"error_handler": _ERROR_HANDLER,
            }
        )
        sandbox = globals_of_lua.loadstring(_SANDBOX, b"=sandbox")
        self._compile, self._run = sandbox(globals_of_lua, self._caller, self._text_of, self._missing, host)

    def compile(self, source: bytes) -> Any:
        """The script as a Lua function. Raises `LuaError` with the compiler's message."""
        compiled = self._compile(source)
        if isinstance(compiled, tuple):
            raise LuaError(_latin(compiled[1]))
        return compiled

    def run(self, function: Any, keys: list[bytes], argv: list[bytes]) -> Any:
        """What the script returns. Raises `LuaError`, or whatever `call` refused with."""
        self._random_state = 0x330E
        self._refusal = None
        ok, result = self._run(function, self.table(keys), self.table(argv), _INSTRUCTIONS)
        if self._refusal is not None:
            raise self._refusal
        if not ok:
            raise LuaError(_latin(result))
        return result

    def table(self, values: list[Any]) -> Any:
        return self._lua.table_from(values)

    def error_table(self, text: bytes) -> Any:
        return self._lua.table_from({b"err": text})

    def status_table(self, text: bytes) -> Any:
        return self._lua.table_from({b"ok": text})

    @staticmethod
    def is_table(value: Any) -> bool:
        return bool(_LUA.lua_type(value) == "table")

    def _raising(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` for Lua: its `LuaError` becomes an error of the script, anything else ends the script."""

        def called(*args: Any) -> Any:
            try:
                return function(*args)
            except LuaError as error:
                self._message = str(error).encode("latin-1", "backslashreplace")
                raise _Raised from None
            except BaseException as error:
                self._refusal = self._refusal or error
                self._message = b"refused"
                raise

        return called

    def _caller(self, raises: bool) -> Callable[..., Any]:
        """`redis.call` or `redis.pcall`."""

        def called(*args: Any) -> Any:
            try:
                return self._call(self._words(args))
            except LuaError as error:
                if raises:
                    raise
                return self.error_table(str(error).encode("latin-1", "backslashreplace"))

        return self._raising(called)

    def _words(self, args: tuple[Any, ...]) -> list[bytes]:
        if not args:
            raise self.located("Please specify at least one argument for redis.call()")
        words = []
        for arg in args:
            if isinstance(arg, bytes):
                words.append(arg)
            elif isinstance(arg, int | float) and not isinstance(arg, bool):
                words.append(b"%.17g" % arg)
            else:
                raise self.located("Lua redis() command arguments must be strings or integers")
        return words

    def _located(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with the line of the script in front of its errors, as Lua's own libraries have it."""

        def called(*args: Any) -> Any:
            try:
                return function(*args)
            except LuaError as error:
                raise LuaError(f"user_script:{self._line()}: {error}") from None

        return called

    def located(self, text: str) -> LuaError:
        """`text` with the line of the script, in the second of the two ways in which Redis writes it."""
        return LuaError(f"@user_script: {self._line()}: {text}")

    def _line(self) -> int:
        """The line of the script that is calling."""
        for level in range(1, _DEEPEST_CALL):
            frame = self._getinfo(level, b"Sl")
            if frame is None:
                break
            if frame[b"source"] == b"@user_script":
                return int(frame[b"currentline"])
        return -1

    def _text_of(self, error: Any) -> Any:
        """The text behind an error that came through Python; any other error as it is."""
        return self._message if isinstance(error, BaseException) else error

    def _missing(self, name: bytes) -> None:
        self._refusal = self._refusal or NotSimulated(f"in a Redis Lua script: {_latin(name)}", _REMEDY)
        self._message = b"refused"
        raise _Raised

    def _random(self, *bounds: Any) -> Any:
        number, self._random_state = redis_random(self._random_state)
        share = (number % _RAND_MAX) / _RAND_MAX
        if not bounds:
            return share
        low, high = (1, int(bounds[0])) if len(bounds) == 1 else (int(bounds[0]), int(bounds[1]))
        if low > high:
            raise LuaError(f"bad argument #{len(bounds)} to 'random' (interval is empty)")
        return int(share * (high - low + 1)) + low

    def _seed(self, seed: Any) -> None:
        self._random_state = ((int(seed) & 0xFFFFFFFF) << 16) + 0x330E

    def _log(self, *args: Any) -> None:
        if len(args) < 2:
            raise LuaError("redis.log() requires two arguments or more.")
        if not isinstance(args[0], int) or not 0 <= args[0] <= 3:
            raise LuaError("Invalid debug level.")

    def _hash(self, *args: Any) -> bytes:
        if len(args) != 1:
            raise LuaError("wrong number of arguments")
        return self._sha1hex(args[0] if isinstance(args[0], bytes) else b"%.14g" % args[0])


def _latin(text: Any) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else str(text)
